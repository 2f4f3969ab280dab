import { useEffect } from 'react'
import {
  AppstoreOutlined,
  BellOutlined,
  CreditCardOutlined,
  DatabaseOutlined,
  DeploymentUnitOutlined,
  SaveOutlined,
  ThunderboltOutlined,
} from '@ant-design/icons'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { operatorApi } from '../shared/client.ts'
import { operatorSession, signedOut } from '../shared/session.ts'
import { Shell } from '../shared/Shell.tsx'
import { useStored } from '../shared/stored.ts'
import { useOperatorCan } from './useOperator.ts'

export function OperatorShell() {
  const { t } = useTranslation()
  const { session } = useStored(operatorSession)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const can = useOperatorCan()

  // Signed out here, in another tab, or by the server.
  useEffect(() => {
    if (session) return
    queryClient.clear()
    void navigate({ to: '/operator/sign-in' })
  }, [session, navigate, queryClient])

  async function signOut() {
    // Even when the server cannot be told, this browser forgets.
    await operatorApi.POST('/platform/auth/logout').catch(() => undefined)
    signedOut(operatorSession)
  }

  if (!session) return null
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
        { path: '/operator/operations', name: t('menu.operations'), icon: <ThunderboltOutlined /> },
        { path: '/operator/plans', name: t('menu.plans'), icon: <CreditCardOutlined /> },
      ]}
      personName={session.person.fullName}
      context={<Tag>{t('menu.operator')}</Tag>}
      onSignOut={() => void signOut()}
    />
  )
}
