import { useQuery } from '@tanstack/react-query'
import { Alert } from 'antd'
import { useTranslation } from 'react-i18next'
import { useOperatorCan } from '../useOperator.ts'
import { approvalsQuery } from './queries.ts'

/** In a dialog, before something is asked for that another operator must approve. */
export function ApprovalNotice({ operation }: { operation: string }) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const { data } = useQuery({ ...approvalsQuery({}), enabled: can('approvals:view') })
  if (!data?.isRequired || !data.operations.includes(operation)) return null
  return <Alert type="warning" showIcon title={t('approvals.notice')} style={{ marginBlockEnd: 16 }} />
}
