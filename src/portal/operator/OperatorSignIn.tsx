import { useMutation } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Button, Form } from 'antd'
import { useTranslation } from 'react-i18next'
import { anonymousApi, read } from '../shared/client.ts'
import { CredentialFields } from '../shared/CredentialFields.tsx'
import { operatorSession, signedIn } from '../shared/session.ts'
import { SignInFrame } from '../shared/SignInFrame.tsx'
import { ProblemAlert } from '../shared/states.tsx'
import { useFormProblem } from '../shared/useFormProblem.ts'
import { useGoOn } from '../shared/useGoOn.ts'

interface Credentials {
  email: string
  password: string
}

const route = getRouteApi('/operator/sign-in')

export function OperatorSignIn() {
  const { t } = useTranslation()
  const [form] = Form.useForm<Credentials>()
  const { next } = route.useSearch()
  const goOn = useGoOn('/operator/tenants')
  const formProblem = useFormProblem(form)
  const signIn = useMutation({
    mutationFn: (body: Credentials) => read(anonymousApi.POST('/platform/auth/login', { body })),
    onMutate: formProblem.clear,
    onError: formProblem.show,
    onSuccess: ({ token, refreshToken, operator }) => {
      signedIn(operatorSession, { token, refreshToken, person: operator })
      goOn(next)
    },
  })
  return (
    <SignInFrame title={t('signIn.title')} subtitle={t('signIn.operatorSubtitle')}>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" requiredMark={false} onFinish={(values) => signIn.mutate(values)}>
        <CredentialFields autoFocus />
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t('signIn.submit')}
        </Button>
      </Form>
    </SignInFrame>
  )
}
