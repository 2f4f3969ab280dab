import { useMutation, useQueryClient } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { useTellProblem } from './useTellProblem.ts'

interface ResendButtonProps {
  mail: { id: string; recipient: string; canBeResent: boolean }
  send: (id: string) => Promise<unknown>
  /** Of the lists in which it then stands otherwise. */
  queryKey: string
}

/** Beside a mail that was given up: on a tenant's pages and on operators'. */
export function ResendButton({ mail, send, queryKey }: ResendButtonProps) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const queryClient = useQueryClient()
  const resend = useMutation({
    mutationFn: () => send(mail.id),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: [queryKey] }),
  })
  if (!mail.canBeResent) return null
  return (
    <Button
      size="small"
      loading={resend.isPending}
      aria-label={t('mails.resendTo', { recipient: mail.recipient })}
      onClick={() =>
        resend.mutate(undefined, {
          onSuccess: () => void message.success(t('mails.resent')),
          onError: tellProblem,
        })
      }
    >
      {t('mails.resend')}
    </Button>
  )
}
