import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Alert, Button, Descriptions, Progress, Steps, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import type { CreatedTenant, Operation } from '../../shared/model.ts'
import { ErrorState } from '../../shared/states.tsx'
import { operationQuery } from './queries.ts'

/** The steps as the server reports them, and at the end the way in. */
export function TenantProgress({ created }: { created: CreatedTenant }) {
  const { t } = useTranslation()
  const operation = useQuery(operationQuery(created.operationId))
  if (operation.isError)
    return <ErrorState error={operation.error} onRetry={() => void operation.refetch()} />
  const state = operation.data
  const hasFailed = state?.status === 'failed' || state?.status === 'cancelled'
  return (
    <div aria-live="polite">
      <Progress
        percent={Math.round((state?.progress ?? 0) * 100)}
        status={hasFailed ? 'exception' : state?.status === 'done' ? 'success' : 'active'}
        aria-label={t('wizard.progress')}
      />
      {state && <OperationSteps operation={state} />}
      {hasFailed && <Alert type="error" showIcon title={t('wizard.failed')} description={state.error} />}
      {state?.status === 'done' && <WayIn created={created} />}
    </div>
  )
}

const stepStatus = { waiting: 'wait', running: 'process', done: 'finish', failed: 'error' } as const

function OperationSteps({ operation }: { operation: Operation }) {
  const { t } = useTranslation()
  return (
    <Steps
      orientation="vertical"
      size="small"
      style={{ marginBlock: 16 }}
      items={operation.steps.map((step) => ({
        // Steps the portal has no words for yet are shown by the server's name.
        title: t(`steps.${step.name}` as 'steps.database', { defaultValue: step.name }),
        status: stepStatus[step.status],
        content: <Duration startedAt={step.startedAt} finishedAt={step.finishedAt} />,
      }))}
    />
  )
}

function Duration({ startedAt, finishedAt }: { startedAt: string | null; finishedAt: string | null }) {
  const { t } = useTranslation()
  if (!startedAt || !finishedAt) return null
  return <>{t('wizard.tookMs', { ms: Date.parse(finishedAt) - Date.parse(startedAt) })}</>
}

function WayIn({ created: { tenant, setPasswordUrl } }: { created: CreatedTenant }) {
  const { t } = useTranslation()
  return (
    <>
      <Alert
        type="success"
        showIcon
        title={t('wizard.ready', { name: tenant.companyName })}
        style={{ marginBlock: 16 }}
      />
      <Descriptions
        column={1}
        items={[
          {
            key: 'code',
            label: t('tenants.code'),
            children: <span className="ltr">{tenant.tenantCode}</span>,
          },
          { key: 'address', label: t('tenants.address'), children: <CopyableLink href={tenant.address} /> },
          ...(setPasswordUrl
            ? [
                {
                  key: 'password',
                  label: t('wizard.setPasswordLink'),
                  children: <CopyableLink href={setPasswordUrl} />,
                },
              ]
            : []),
        ]}
      />
      {setPasswordUrl && <Typography.Paragraph type="secondary">{t('wizard.linkOnce')}</Typography.Paragraph>}
      <div style={{ display: 'flex', gap: 8, flexWrap: 'wrap' }}>
        <Link to="/sign-in" search={{ tenant: tenant.tenantCode }}>
          <Button type="primary">{t('wizard.signInAsAdmin')}</Button>
        </Link>
        <Link to="/operator/tenants/$tenantId" params={{ tenantId: tenant.id }}>
          <Button>{t('wizard.showTenant')}</Button>
        </Link>
      </div>
    </>
  )
}

function CopyableLink({ href }: { href: string }) {
  return (
    <Typography.Link href={href} copyable={{ text: href }} className="ltr" style={{ wordBreak: 'break-all' }}>
      {href}
    </Typography.Link>
  )
}
