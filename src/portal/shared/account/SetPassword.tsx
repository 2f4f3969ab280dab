import type { ReactNode } from 'react'
import { useMutation } from '@tanstack/react-query'
import { Alert, App, Button, Form } from 'antd'
import { useTranslation } from 'react-i18next'
import { SignInFrame } from '../SignInFrame.tsx'
import { ProblemAlert } from '../states.tsx'
import { useFormProblem } from '../useFormProblem.ts'
import { NewPasswordFields } from './NewPasswordFields.tsx'

interface SetPasswordProps<Answers> {
  subtitle: string
  /** Of the link in the mail. */
  token: string | undefined
  initialValues?: Partial<Answers>
  save: (token: string, answers: Answers) => Promise<unknown>
  onDone: (answers: Answers) => void
  /** What is asked besides. */
  children?: ReactNode
}

/** Where the links in mails lead: the password is chosen by whom the mail reached. */
export function SetPassword<Answers extends { password: string }>(props: SetPasswordProps<Answers>) {
  const { subtitle, token, initialValues, save, onDone, children } = props
  const { t } = useTranslation()
  const { message } = App.useApp()
  const [form] = Form.useForm<Answers>()
  const formProblem = useFormProblem(form)
  const setPassword = useMutation({
    mutationFn: (answers: Answers) => save(token ?? '', answers),
    onMutate: formProblem.clear,
    onError: formProblem.show,
    onSuccess: (_, answers) => {
      void message.success(t('setPassword.done'))
      onDone(answers)
    },
  })
  return (
    <SignInFrame title={t('setPassword.title')} subtitle={subtitle}>
      {!token && <Alert type="error" showIcon title={t('setPassword.noToken')} />}
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      {token && (
        <Form
          form={form}
          layout="vertical"
          requiredMark={false}
          {...(initialValues && { initialValues })}
          onFinish={(answers) => setPassword.mutate(answers)}
        >
          {children}
          <NewPasswordFields name="password" autoFocus />
          <Button type="primary" htmlType="submit" block loading={setPassword.isPending}>
            {t('setPassword.submit')}
          </Button>
        </Form>
      )}
    </SignInFrame>
  )
}
