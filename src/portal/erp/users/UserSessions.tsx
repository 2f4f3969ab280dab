import { useQuery } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { SessionsTable } from '../../shared/account/SessionsTable.tsx'
import { useFormats } from '../../shared/formats.ts'
import type { TenantUser } from '../../shared/model.ts'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { sessionsQuery, useEndSession, useUserStep } from './queries.ts'

export function UserSessions({ user, canEnd }: { user: TenantUser; canEnd: boolean }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const sessions = useQuery(sessionsQuery(user.id))
  const end = useEndSession(user.id)
  const endAll = useUserStep()
  const told = {
    onSuccess: () => void message.success(t('users.sessionEnded')),
    onError: tellProblem,
  }
  if (!sessions.isSuccess) return <QueryState query={sessions} />
  return (
    <SessionsTable
      card={{
        title: t('users.signedInAt'),
        extra: canEnd && sessions.data.sessions.length > 0 && (
          <Button
            danger
            loading={endAll.isPending}
            onClick={() => endAll.mutate({ id: user.id, step: 'signOut' }, told)}
          >
            {t('users.endAllSessions')}
          </Button>
        ),
      }}
      dataSource={sessions.data.sessions}
      empty={t('users.noSessions')}
      end={({ id, startedAt }) =>
        canEnd && (
          <Button
            size="small"
            loading={end.isPending && end.variables === id}
            aria-label={t('users.endSessionOf', { at: formats.instant(startedAt) })}
            onClick={() => end.mutate(id, told)}
          >
            {t('users.endSession')}
          </Button>
        )
      }
    />
  )
}
