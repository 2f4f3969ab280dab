import { useMutation } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Button, Form } from 'antd'
import { useTranslation } from 'react-i18next'
import { useCodeStep } from '../shared/account/useCodeStep.tsx'
import { anonymousApi, read } from '../shared/client.ts'
import { CredentialFields } from '../shared/CredentialFields.tsx'
import { ForgotPassword } from '../shared/ForgotPassword.tsx'
import { operatorSession, signedIn } from '../shared/session.ts'
import { SignInFrame } from '../shared/SignInFrame.tsx'
import { ProblemAlert } from '../shared/states.tsx'
import { useFormProblem } from '../shared/useFormProblem.ts'
import { useGoOn } from '../shared/useGoOn.ts'

interface Credentials {
  email: string
  password: string
  totp?: string
}

const route = getRouteApi('/operator/sign-in')

export function OperatorSignIn() {
  const { t } = useTranslation()
  const [form] = Form.useForm<Credentials>()
  const { next } = route.useSearch()
  const goOn = useGoOn('/operator/tenants')
  const formProblem = useFormProblem(form)
  const code = useCodeStep()
  const signIn = useMutation({
    mutationFn: (body: Credentials) => read(anonymousApi.POST('/platform/auth/login', { body })),
    onMutate: formProblem.clear,
    onError: (thrown) => formProblem.show(code.shown(thrown)),
    onSuccess: ({ token, refreshToken, operator }) => {
      signedIn(operatorSession, { token, refreshToken, person: operator })
      goOn(next)
    },
  })
  return (
    <SignInFrame title={t('signIn.title')} subtitle={t('signIn.operatorSubtitle')}>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" requiredMark={false} onFinish={(values) => signIn.mutate(values)}>
        <div hidden={code.isAsked}>
          <CredentialFields autoFocus />
        </div>
        {code.field}
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t('signIn.submit')}
        </Button>
      </Form>
      <ForgotPassword
        email={() => form.getFieldValue('email') ?? ''}
        onAsk={(email) =>
          read(anonymousApi.POST('/platform/auth/reset-password-request', { body: { email } }))
        }
      />
    </SignInFrame>
  )
}
