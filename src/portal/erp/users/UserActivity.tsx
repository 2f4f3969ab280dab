import { useInfiniteQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { UserEvent } from '../../shared/model.ts'
import { QueryState } from '../../shared/states.tsx'
import { activityQuery } from './queries.ts'

export function UserActivity({ userId }: { userId: string }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const activity = useInfiniteQuery(activityQuery(userId))
  if (!activity.isSuccess) return <QueryState query={activity} />
  const events = activity.data.pages.flatMap((page) => page.activity)
  return (
    <ListTable
      size="small"
      dataSource={events}
      empty={t('users.noActivity')}
      columns={[
        { title: t('users.at'), render: (_, { at }) => formats.instant(at) },
        { title: t('users.what'), render: (_, event) => <What event={event} userId={userId} /> },
        {
          title: t('users.address'),
          render: (_, { address }) => <span className="ltr">{address ?? '–'}</span>,
        },
        {
          title: t('users.device'),
          ellipsis: true,
          render: (_, { userAgent }) => <span className="ltr">{userAgent ?? '–'}</span>,
        },
      ]}
      {...(activity.hasNextPage
        ? {
            footer: () => (
              <Button loading={activity.isFetchingNextPage} onClick={() => void activity.fetchNextPage()}>
                {t('actions.more')}
              </Button>
            ),
          }
        : {})}
    />
  )
}

function What({ event, userId }: { event: UserEvent; userId: string }) {
  const { t } = useTranslation()
  const action = t(`audit.actions.${event.action}` as 'audit.actions.insert', { defaultValue: event.action })
  if (event.action === 'sign-in') return action
  const isAboutSelf = event.entityId === userId
  return (
    <>
      {action} {isAboutSelf ? t('users.thisUser') : <span className="ltr">{event.entity}</span>}
      {event.fields.length > 0 && (
        <>
          {': '}
          <span className="ltr">{event.fields.join(', ')}</span>
        </>
      )}
      {isAboutSelf &&
        event.actorId !== userId &&
        ` (${event.actorName === null ? t('users.bySomebodyElse') : t('users.by', { name: event.actorName })})`}
    </>
  )
}
