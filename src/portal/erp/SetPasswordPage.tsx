import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { SetPassword } from '../shared/account/SetPassword.tsx'
import { anonymousApi, read, tenantHeader } from '../shared/client.ts'
import { erpSession, isOnTenantAddress } from '../shared/session.ts'

interface Answers {
  tenantCode?: string
  password: string
}

const route = getRouteApi('/set-password')

export function SetPasswordPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { token, tenant } = route.useSearch()
  return (
    <SetPassword<Answers>
      subtitle={t('signIn.erpSubtitle')}
      token={token}
      initialValues={{ tenantCode: tenant ?? erpSession.get().tenantCode ?? '' }}
      save={(given, { tenantCode, password }) =>
        read(
          anonymousApi.POST('/auth/reset-password', {
            body: { token: given, password },
            headers: tenantHeader(tenant ?? tenantCode?.trim() ?? null),
          }),
        )
      }
      onDone={({ tenantCode }) => {
        const code = tenant ?? tenantCode
        void navigate({ to: '/sign-in', search: code ? { tenant: code } : {} })
      }}
    >
      {!isOnTenantAddress() && !tenant && (
        <Form.Item
          name="tenantCode"
          label={t('signIn.companyAccount')}
          rules={[{ required: true, message: t('validation.required') }]}
        >
          <Input autoComplete="organization" dir="ltr" />
        </Form.Item>
      )}
    </SetPassword>
  )
}
