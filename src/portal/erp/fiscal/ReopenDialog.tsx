import { useTranslation } from 'react-i18next'
import { ActionDialog, ReasonField } from '../../shared/ActionDialog.tsx'
import type { Period } from '../../shared/model.ts'
import { useReopenPeriod } from './queries.ts'

export function ReopenDialog({ period, onClose }: { period: Period; onClose: () => void }) {
  const { t } = useTranslation()
  const reopen = useReopenPeriod()
  return (
    <ActionDialog<{ reason: string }>
      title={t('fiscal.reopenPeriod', { name: period.name })}
      okText={t('fiscal.reopen')}
      isPending={reopen.isPending}
      onSubmit={({ reason }, handlers) => reopen.mutate({ id: period.id, reason }, handlers)}
      onClose={onClose}
    >
      <ReasonField />
    </ActionDialog>
  )
}
