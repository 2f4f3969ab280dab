import { useMutation } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Alert, App, Button, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { anonymousApi, read, tenantHeader } from '../shared/client.ts'
import { erpSession, isOnTenantAddress } from '../shared/session.ts'
import { SignInFrame } from '../shared/SignInFrame.tsx'
import { ProblemAlert } from '../shared/states.tsx'
import { useFormProblem } from '../shared/useFormProblem.ts'

interface Answers {
  tenantCode?: string
  password: string
  repeated: string
}

const route = getRouteApi('/set-password')

export function SetPasswordPage() {
  const { t } = useTranslation()
  const { token, tenant } = route.useSearch()
  const [form] = Form.useForm<Answers>()
  const { setPassword, formProblem } = useSetPassword(form, token ?? '', tenant)
  const required = { required: true, message: t('validation.required') }
  return (
    <SignInFrame title={t('setPassword.title')} subtitle={t('signIn.erpSubtitle')}>
      {!token && <Alert type="error" showIcon title={t('setPassword.noToken')} />}
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      {token && (
        <Form
          form={form}
          layout="vertical"
          requiredMark={false}
          initialValues={{ tenantCode: tenant ?? erpSession.get().tenantCode ?? '' }}
          onFinish={(values) => setPassword.mutate(values)}
        >
          {!isOnTenantAddress() && !tenant && (
            <Form.Item name="tenantCode" label={t('signIn.companyAccount')} rules={[required]}>
              <Input autoComplete="organization" dir="ltr" />
            </Form.Item>
          )}
          <Form.Item
            name="password"
            label={t('setPassword.newPassword')}
            extra={t('validation.password')}
            rules={[required, { min: 8, message: t('validation.password') }]}
          >
            <Input.Password autoComplete="new-password" maxLength={72} dir="ltr" autoFocus />
          </Form.Item>
          <Form.Item
            name="repeated"
            label={t('setPassword.repeat')}
            dependencies={['password']}
            rules={[
              required,
              ({ getFieldValue }) => ({
                validator: async (_, repeated) => {
                  if (repeated && repeated !== getFieldValue('password'))
                    throw new Error(t('setPassword.differs'))
                },
              }),
            ]}
          >
            <Input.Password autoComplete="new-password" maxLength={72} dir="ltr" />
          </Form.Item>
          <Button type="primary" htmlType="submit" block loading={setPassword.isPending}>
            {t('setPassword.submit')}
          </Button>
        </Form>
      )}
    </SignInFrame>
  )
}

function useSetPassword(
  form: ReturnType<typeof Form.useForm<Answers>>[0],
  token: string,
  tenant: string | undefined,
) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const navigate = useNavigate()
  const formProblem = useFormProblem(form)
  const setPassword = useMutation({
    mutationFn: ({ tenantCode, password }: Answers) =>
      read(
        anonymousApi.POST('/auth/reset-password', {
          body: { token, password },
          headers: tenantHeader(tenant ?? tenantCode?.trim() ?? null),
        }),
      ),
    onMutate: formProblem.clear,
    onError: formProblem.show,
    onSuccess: (_, { tenantCode }) => {
      void message.success(t('setPassword.done'))
      const code = tenant ?? tenantCode
      void navigate({ to: '/sign-in', search: code ? { tenant: code } : {} })
    },
  })
  return { setPassword, formProblem }
}
