import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button, Popconfirm } from 'antd'
import { useTranslation } from 'react-i18next'
import { QueryState } from '../states.tsx'
import { useTellProblem } from '../useTellProblem.ts'
import { deviceOf } from './device.ts'
import { SessionsTable } from './SessionsTable.tsx'
import type { AccountSide } from './sides.ts'

export function SessionsCard({ side }: { side: AccountSide }) {
  const { t } = useTranslation()
  const queryKey = ['account', side.name, 'sessions']
  const sessions = useQuery({ queryKey, queryFn: () => side.listSessions() })
  const endOne = useEnding(queryKey, (id: string) => side.endSession(id))
  const endOthers = useEnding(queryKey, () => side.endOtherSessions())
  if (!sessions.isSuccess) return <QueryState query={sessions} />
  return (
    <SessionsTable
      card={{
        title: t('account.sessions'),
        extra: sessions.data.length > 1 && (
          <Popconfirm
            title={t('account.endOthersQuestion')}
            okText={t('account.endOthers')}
            onConfirm={() => endOthers.mutate()}
          >
            <Button danger loading={endOthers.isPending}>
              {t('account.endOthers')}
            </Button>
          </Popconfirm>
        ),
      }}
      dataSource={sessions.data}
      end={({ id, isCurrent, userAgent }) =>
        !isCurrent && (
          <Button
            type="link"
            danger
            aria-label={t('account.endSessionOf', { device: deviceOf(userAgent) ?? '' })}
            onClick={() => endOne.mutate(id)}
          >
            {t('account.endSession')}
          </Button>
        )
      }
    />
  )
}

function useEnding<Which = void>(queryKey: readonly string[], end: (which: Which) => Promise<unknown>) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: end,
    onError: tellProblem,
    onSuccess: () => void message.success(t('account.ended')),
    onSettled: () => queryClient.invalidateQueries({ queryKey }),
  })
}
