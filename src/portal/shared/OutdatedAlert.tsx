import { Alert, Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { InView } from './InView.tsx'

/** Someone else saved first (412): nothing is overwritten unseen. */
export function OutdatedAlert({ onReload }: { onReload: (() => void) | undefined }) {
  const { t } = useTranslation()
  return (
    <InView news={null}>
      <Alert
        type="warning"
        showIcon
        style={{ marginBlockEnd: 16 }}
        title={t('states.outdated')}
        action={
          <Button size="small" onClick={onReload}>
            {t('actions.reload')}
          </Button>
        }
      />
    </InView>
  )
}
