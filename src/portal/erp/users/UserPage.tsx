import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Card, Descriptions, Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import type { TenantUser } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useCan, useUser } from '../useCompany.ts'
import { companiesQuery, userQuery } from './queries.ts'
import { UserActivity } from './UserActivity.tsx'
import { UserEmail } from './UserEmail.tsx'
import { UserForm } from './UserForm.tsx'
import { UserPhotoEditor } from './UserPhoto.tsx'
import { UserSessions } from './UserSessions.tsx'
import { UserStatusTag } from './UserStatusTag.tsx'
import { UserStepButtons } from './UserSteps.tsx'

const route = getRouteApi('/_erp/settings/users/$userId')

export function UserPage() {
  const { t } = useTranslation()
  const { userId } = route.useParams()
  const { tab = 'details' } = route.useSearch()
  const navigate = useNavigate()
  const can = useCan()
  const isSelf = useUser()?.id === userId
  const found = useQuery(userQuery(userId))
  if (!found.isSuccess) return <QueryState query={found} />
  const { data: user, version } = found.data
  const toList = () => void navigate({ to: '/settings/users' })
  const mayEdit = isSelf || can('users:edit')
  const tabs = [
    {
      key: 'details',
      label: t('users.details'),
      children: <Details key={version} user={user} version={version} onReload={() => void found.refetch()} />,
    },
    {
      key: 'photo',
      label: t('users.photo'),
      children: (
        <Card>
          <UserPhotoEditor user={user} canEdit={mayEdit} />
        </Card>
      ),
    },
    { key: 'activity', label: t('users.activity'), children: <UserActivity userId={user.id} /> },
    { key: 'sessions', label: t('users.sessions'), children: <UserSessions user={user} canEnd={mayEdit} /> },
    ...(mayEdit ? [{ key: 'email', label: t('email.title'), children: <UserEmail user={user} /> }] : []),
  ]
  return (
    <>
      <PageHeader
        title={user.fullName}
        tag={<UserStatusTag user={user} />}
        actions={<UserStepButtons user={user} onDone={(step) => step === 'delete' && toList()} />}
        {...(can('users:view') ? { onBack: toList } : {})}
      />
      <Tabs
        activeKey={tab}
        items={tabs}
        onChange={(key) =>
          void navigate({ to: '/settings/users/$userId', params: { userId }, search: { tab: key } })
        }
      />
    </>
  )
}

interface DetailsProps {
  user: TenantUser
  version: string | null
  onReload: () => void
}

function Details({ user, version, onReload }: DetailsProps) {
  const can = useCan()
  const navigate = useNavigate()
  if (!can('users:edit')) return <Facts user={user} />
  return (
    <Card>
      <UserForm
        user={user}
        version={version}
        onReload={onReload}
        onClose={() => void navigate({ to: '/settings/users' })}
      />
    </Card>
  )
}

function Facts({ user }: { user: TenantUser }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useCan()
  const companies = useQuery(companiesQuery(can('companies:view')))
  const names = (companies.data?.companies ?? []).filter(({ id }) => user.companyIds.includes(id))
  const facts = [
    [t('signIn.email'), <span className="ltr">{user.email}</span>],
    [t('users.phone'), <span className="ltr">{user.phone ?? '–'}</span>],
    [t('users.role'), user.role],
    [t('users.joinDate'), formats.date(user.joinDate) || '–'],
    [t('users.lastLogin'), formats.instant(user.lastLoginAt) || '–'],
    [
      t('users.companies'),
      user.allCompanies ? t('users.allCompanies') : names.map(({ name }) => name).join(', ') || '–',
    ],
  ] as const
  return (
    <Card>
      <Descriptions column={1} items={facts.map(([label, children]) => ({ key: label, label, children }))} />
    </Card>
  )
}
