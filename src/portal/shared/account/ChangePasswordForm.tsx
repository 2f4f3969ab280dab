import { useMutation } from '@tanstack/react-query'
import { App, Button, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { ProblemAlert } from '../states.tsx'
import { useFormProblem } from '../useFormProblem.ts'
import { NewPasswordFields } from './NewPasswordFields.tsx'
import type { AccountSide } from './sides.ts'

interface Answers {
  currentPassword: string
  newPassword: string
}

/** When it has been changed every session has ended, this one too: whoever it is signs in with the new one. */
export function ChangePasswordForm({ side }: { side: AccountSide }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const [form] = Form.useForm<Answers>()
  const formProblem = useFormProblem(form)
  const change = useMutation({
    mutationFn: ({ currentPassword, newPassword }: Answers) =>
      side.changePassword({ currentPassword, newPassword }),
    onMutate: formProblem.clear,
    onError: formProblem.show,
    onSuccess: () => {
      void message.success(t('account.passwordChanged'))
      side.forget()
    },
  })
  return (
    <>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" requiredMark={false} onFinish={(answers) => change.mutate(answers)}>
        <Form.Item
          name="currentPassword"
          label={t('account.currentPassword')}
          rules={[{ required: true, message: t('validation.required') }]}
        >
          <Input.Password autoComplete="current-password" maxLength={200} dir="ltr" />
        </Form.Item>
        <NewPasswordFields name="newPassword" />
        <Button type="primary" htmlType="submit" loading={change.isPending}>
          {t('account.changePassword')}
        </Button>
      </Form>
    </>
  )
}
