import { useCallback, useState } from 'react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button, Card, Descriptions, Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import type { Backup, Tenant } from '../../shared/model.ts'
import { problemOf } from '../../shared/problem.ts'
import { ErrorState, LoadingState } from '../../shared/states.tsx'
import { BackupsTable } from '../backups/BackupsTable.tsx'
import { backupsQuery, useBackUp } from '../backups/queries.ts'
import { OperationProgress } from '../operations/OperationProgress.tsx'
import { useOperatorCan } from '../useOperator.ts'

export function TenantBackups({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const [page, setPage] = useState(1)
  const backups = useQuery(backupsQuery({ page, tenantId: tenant.id }))
  if (backups.isPending) return <LoadingState />
  if (backups.isError) return <ErrorState error={backups.error} onRetry={() => void backups.refetch()} />
  return (
    <>
      <Card style={{ marginBlockEnd: 16 }} extra={<BackUpNow tenant={tenant} />} title={t('backups.summary')}>
        <Summary backups={backups.data.backups} />
      </Card>
      <BackupsTable list={backups.data} showsTenant={false} onPage={setPage} />
    </>
  )
}

/** Of the newest ones, which are what one would restore. */
function Summary({ backups }: { backups: readonly Backup[] }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const last = backups.find(({ state }) => state === 'good')
  const proven = backups.map(({ provenAt }) => provenAt ?? '').reduce((a, b) => (a > b ? a : b), '')
  return (
    <Descriptions
      column={{ xs: 1, md: 3 }}
      items={[
        {
          key: 'last',
          label: t('backups.last'),
          children: last ? formats.instant(last.takenAt) : t('backups.none'),
        },
        { key: 'size', label: t('backups.size'), children: formats.bytes(last?.sizeBytes) || '–' },
        {
          key: 'proven',
          label: t('backups.lastProven'),
          children: formats.instant(proven) || t('backups.never'),
        },
      ]}
    />
  )
}

function BackUpNow({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const can = useOperatorCan()
  const queryClient = useQueryClient()
  const [operationId, setOperationId] = useState<string | null>(null)
  const backUp = useBackUp(tenant.id)
  const refresh = useCallback(
    () => void queryClient.invalidateQueries({ queryKey: ['backups'] }),
    [queryClient],
  )
  if (!can('backups:create') || tenant.databaseName === null) return null
  return (
    <>
      <Button
        type="primary"
        loading={backUp.isPending}
        onClick={() =>
          backUp.mutate(crypto.randomUUID(), {
            onSuccess: (started) => setOperationId(started.operationId),
            onError: (thrown) => void message.error(problemOf(thrown).message),
          })
        }
      >
        {t('backups.now')}
      </Button>
      <Modal
        open={operationId !== null}
        title={t('backups.now')}
        footer={null}
        onCancel={() => setOperationId(null)}
      >
        {operationId && (
          <OperationProgress id={operationId} failedText={t('backups.failed')} onOver={refresh} />
        )}
      </Modal>
    </>
  )
}
