import { useMutation } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Button, Checkbox, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { useCodeStep } from '../shared/account/useCodeStep.tsx'
import { anonymousApi, read, tenantHeader } from '../shared/client.ts'
import { CredentialFields } from '../shared/CredentialFields.tsx'
import { ForgotPassword } from '../shared/ForgotPassword.tsx'
import { erpSession, isOnTenantAddress, signedIn } from '../shared/session.ts'
import { SignInFrame } from '../shared/SignInFrame.tsx'
import { ProblemAlert } from '../shared/states.tsx'
import { useFormProblem } from '../shared/useFormProblem.ts'
import { useGoOn } from '../shared/useGoOn.ts'
import { SingleSignOnButton } from './single-sign-on/SingleSignOnButton.tsx'

interface Credentials {
  tenantCode?: string
  email: string
  password: string
  totp?: string
  rememberMe: boolean
}

const route = getRouteApi('/sign-in')

export function ErpSignIn() {
  const { t } = useTranslation()
  const [form] = Form.useForm<Credentials>()
  const { next, tenant } = route.useSearch()
  const knownTenant = tenant ?? erpSession.get().tenantCode ?? ''
  const code = useCodeStep()
  const typedTenant = Form.useWatch('tenantCode', form)
  const { signIn, formProblem } = useSignIn(form, next, code.shown)
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
        <div hidden={code.isAsked}>
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
        </div>
        {code.field}
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t('signIn.submit')}
        </Button>
        <SingleSignOnButton tenantCode={typedTenant ?? knownTenant} next={next} />
      </Form>
      <ForgotPassword
        email={() => form.getFieldValue('email') ?? ''}
        onAsk={(email) =>
          read(
            anonymousApi.POST('/auth/reset-password-request', {
              body: { email },
              headers: tenantHeader(form.getFieldValue('tenantCode')?.trim() || null),
            }),
          )
        }
      />
    </SignInFrame>
  )
}

function useSignIn(
  form: ReturnType<typeof Form.useForm<Credentials>>[0],
  next: string | undefined,
  shown: (thrown: unknown) => unknown,
) {
  const goOn = useGoOn('/')
  const formProblem = useFormProblem(form)
  const signIn = useMutation({
    mutationFn: ({ tenantCode, ...body }: Credentials) =>
      read(anonymousApi.POST('/auth/login', { body, headers: tenantHeader(tenantCode?.trim() ?? null) })),
    onMutate: formProblem.clear,
    onError: (thrown) => formProblem.show(shown(thrown)),
    onSuccess: ({ token, refreshToken, user }) => {
      signedIn(erpSession, { token, refreshToken, person: user }, user.tenantCode)
      goOn(next)
    },
  })
  return { signIn, formProblem }
}
