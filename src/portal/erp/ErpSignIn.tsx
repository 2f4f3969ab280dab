import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Button, Checkbox, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { anonymousApi, read, tenantHeader } from '../shared/client.ts'
import { CredentialFields } from '../shared/CredentialFields.tsx'
import { erpSession, isOnTenantAddress, signedIn } from '../shared/session.ts'
import { SignInFrame } from '../shared/SignInFrame.tsx'
import { ProblemAlert } from '../shared/states.tsx'
import { useFormProblem } from '../shared/useFormProblem.ts'
import { useGoOn } from '../shared/useGoOn.ts'

interface Credentials {
  tenantCode?: string
  email: string
  password: string
  rememberMe: boolean
}

const route = getRouteApi('/sign-in')

export function ErpSignIn() {
  const { t } = useTranslation()
  const [form] = Form.useForm<Credentials>()
  const { next, tenant } = route.useSearch()
  const knownTenant = tenant ?? erpSession.get().tenantCode ?? ''
  const { signIn, formProblem } = useSignIn(form, next)
  const required = { required: true, message: t('validation.required') }
  return (
    <SignInFrame title={t('signIn.title')} subtitle={t('signIn.erpSubtitle')}>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form
        form={form}
        layout="vertical"
        requiredMark={false}
        initialValues={{ tenantCode: knownTenant, rememberMe: false }}
        onFinish={(values) => signIn.mutate(values)}
      >
        {!isOnTenantAddress() && (
          <Form.Item
            name="tenantCode"
            label={t('signIn.companyAccount')}
            tooltip={t('signIn.companyAccountHint')}
            rules={[required]}
          >
            <Input autoComplete="organization" dir="ltr" autoFocus={knownTenant === ''} />
          </Form.Item>
        )}
        <CredentialFields autoFocus={knownTenant !== ''} />
        <Form.Item name="rememberMe" valuePropName="checked">
          <Checkbox>{t('signIn.rememberMe')}</Checkbox>
        </Form.Item>
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t('signIn.submit')}
        </Button>
      </Form>
    </SignInFrame>
  )
}

function useSignIn(form: ReturnType<typeof Form.useForm<Credentials>>[0], next: string | undefined) {
  const goOn = useGoOn('/')
  const queryClient = useQueryClient()
  const formProblem = useFormProblem(form)
  const signIn = useMutation({
    mutationFn: ({ tenantCode, ...body }: Credentials) =>
      read(anonymousApi.POST('/auth/login', { body, headers: tenantHeader(tenantCode?.trim() ?? null) })),
    onMutate: formProblem.clear,
    onError: formProblem.show,
    onSuccess: ({ token, refreshToken, user }) => {
      // Another tenant's figures must not be shown for a moment.
      queryClient.clear()
      signedIn(erpSession, { token, refreshToken, person: user }, user.tenantCode)
      goOn(next)
    },
  })
  return { signIn, formProblem }
}
