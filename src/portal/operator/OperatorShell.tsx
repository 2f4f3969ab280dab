import { useEffect } from 'react'
import {
  AppstoreOutlined,
  AuditOutlined,
  BellOutlined,
  CreditCardOutlined,
  DatabaseOutlined,
  DeploymentUnitOutlined,
  MailOutlined,
  SaveOutlined,
  TeamOutlined,
  ThunderboltOutlined,
} from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { RestrictedSession } from '../shared/account/RestrictedSession.tsx'
import { operatorAccount } from '../shared/account/sides.ts'
import { operatorApi } from '../shared/client.ts'
import { operatorSession, signedOut } from '../shared/session.ts'
import { Shell } from '../shared/Shell.tsx'
import { useStored } from '../shared/stored.ts'
import { approvalsQuery } from './approvals/queries.ts'
import { useOperatorCan } from './useOperator.ts'

export function OperatorShell() {
  const { t } = useTranslation()
  const { session } = useStored(operatorSession)
  const navigate = useNavigate()
  const can = useOperatorCan()
  const approvals = useQuery({
    ...approvalsQuery({}),
    enabled: session !== null && can('approvals:view'),
  })
  const waiting = approvals.data?.pagination.total ?? 0

  // Role and permissions may have changed since the session was stored. What a confined session lacks is being
  // mended: the page is not taken away meanwhile.
  useQuery({
    queryKey: ['account', operatorAccount.name, 'me'],
    queryFn: () => operatorAccount.me(),
    staleTime: 5 * 60_000,
    enabled: session !== null && !session.person.restriction,
  })

  // Signed out here, in another tab, or by the server.
  useEffect(() => {
    if (!session) void navigate({ to: '/operator/sign-in' })
  }, [session, navigate])

  async function signOut() {
    // Even when the server cannot be told, this browser forgets.
    await operatorApi.POST('/platform/auth/logout').catch(() => undefined)
    signedOut(operatorSession)
  }

  if (!session) return null
  if (session.person.restriction) {
    return (
      <RestrictedSession
        side={operatorAccount}
        restriction={session.person.restriction}
        onSignOut={() => void signOut()}
      />
    )
  }
  return (
    <Shell
      home="/operator/tenants"
      menu={[
        { path: '/operator/tenants', name: t('menu.tenants'), icon: <AppstoreOutlined /> },
        ...(can('servers:view')
          ? [{ path: '/operator/servers', name: t('menu.servers'), icon: <DatabaseOutlined /> }]
          : []),
        ...(can('fleet:view')
          ? [{ path: '/operator/fleet', name: t('menu.fleet'), icon: <DeploymentUnitOutlined /> }]
          : []),
        ...(can('backups:view')
          ? [{ path: '/operator/backups', name: t('menu.backups'), icon: <SaveOutlined /> }]
          : []),
        ...(can('alerts:view')
          ? [{ path: '/operator/alerts', name: t('menu.alerts'), icon: <BellOutlined /> }]
          : []),
        ...(can('approvals:view')
          ? [
              {
                path: '/operator/approvals',
                name: waiting > 0 ? t('approvals.menu', { count: waiting }) : t('approvals.title'),
                icon: <AuditOutlined />,
              },
            ]
          : []),
        ...(can('mails:view')
          ? [{ path: '/operator/mails', name: t('menu.mails'), icon: <MailOutlined /> }]
          : []),
        { path: '/operator/operations', name: t('menu.operations'), icon: <ThunderboltOutlined /> },
        ...(can('operators:view')
          ? [{ path: '/operator/operators', name: t('menu.operators'), icon: <TeamOutlined /> }]
          : []),
        { path: '/operator/plans', name: t('menu.plans'), icon: <CreditCardOutlined /> },
        ...(can('audit-log:view')
          ? [{ path: '/operator/audit-log', name: t('menu.auditLog'), icon: <AuditOutlined /> }]
          : []),
      ]}
      personName={session.person.fullName}
      context={<Tag>{t('menu.operator')}</Tag>}
      accountPath="/operator/account"
      onSignOut={() => void signOut()}
    />
  )
}
