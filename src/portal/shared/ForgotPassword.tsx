import { useState } from 'react'
import { useMutation } from '@tanstack/react-query'
import { Button, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from './ActionDialog.tsx'

interface ForgotPasswordProps {
  /** What was typed already. */
  email: () => string
  onAsk: (email: string) => Promise<unknown>
}

/** The answer is the same whether there is such an account or not. */
export function ForgotPassword({ email, onAsk }: ForgotPasswordProps) {
  const { t } = useTranslation()
  const [isOpen, setIsOpen] = useState(false)
  const ask = useMutation({ mutationFn: (answers: { email: string }) => onAsk(answers.email) })
  return (
    <>
      <Button type="link" block style={{ marginBlockStart: 8 }} onClick={() => setIsOpen(true)}>
        {t('account.forgot')}
      </Button>
      {isOpen && (
        <ActionDialog<{ email: string }>
          title={t('account.forgot')}
          okText={t('account.sendLink')}
          consequence={t('account.forgotHint')}
          isPending={ask.isPending}
          initialValues={{ email: email() }}
          onSubmit={(answers, handlers) => ask.mutate(answers, handlers)}
          doneText={t('account.linkSent')}
          onClose={() => setIsOpen(false)}
        >
          <Form.Item
            name="email"
            label={t('signIn.email')}
            rules={[{ required: true, type: 'email', message: t('validation.email') }]}
          >
            <Input type="email" autoComplete="username" maxLength={254} dir="ltr" autoFocus />
          </Form.Item>
        </ActionDialog>
      )}
    </>
  )
}
