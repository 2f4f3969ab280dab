import { useState } from 'react'
import { Link } from '@tanstack/react-router'
import { Alert, Button, Descriptions, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import type { CreatedTenant } from '../../shared/model.ts'
import { OperationProgress } from '../operations/OperationProgress.tsx'

/** The steps as the server reports them, and at the end the way in. */
export function TenantProgress({ created }: { created: CreatedTenant }) {
  const { t } = useTranslation()
  const [isReady, setIsReady] = useState(false)
  return (
    <>
      <OperationProgress
        id={created.operationId}
        failedText={t('wizard.failed')}
        onOver={({ status }) => setIsReady(status === 'done')}
      />
      {isReady && <WayIn created={created} />}
    </>
  )
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
