import { useEffect } from 'react'
import { ApartmentOutlined, CalendarOutlined, FileTextOutlined, HomeOutlined } from '@ant-design/icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { erpApi, read } from '../shared/client.ts'
import { erpSession, signedOut } from '../shared/session.ts'
import { Shell, type MenuEntry } from '../shared/Shell.tsx'
import { useStored } from '../shared/stored.ts'
import { masterKeys } from './masters/keys.ts'
import { useCan, useCompany } from './useCompany.ts'

export function ErpShell() {
  const { session, tenantCode } = useStored(erpSession)
  const company = useCompany()
  const menu = useMenu()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  useFreshUser()

  // Signed out here, in another tab, or by the server.
  useEffect(() => {
    if (session) return
    queryClient.clear()
    void navigate({ to: '/sign-in' })
  }, [session, navigate, queryClient])

  async function signOut() {
    // Even when the server cannot be told, this browser forgets.
    await erpApi.POST('/auth/logout').catch(() => undefined)
    signedOut(erpSession)
  }

  if (!session) return null
  return (
    <Shell
      home="/"
      menu={menu}
      personName={session.person.fullName}
      context={
        company && (
          <span>
            {company.name} <Tag className="ltr">{company.baseCurrency}</Tag>
            <Tag className="ltr">{tenantCode}</Tag>
          </span>
        )
      }
      onSignOut={() => void signOut()}
    />
  )
}

/** Role, permissions and companies may have changed since the session was stored. */
function useFreshUser() {
  const me = useQuery({
    queryKey: ['me'],
    queryFn: () => read(erpApi.GET('/auth/me')),
    staleTime: 5 * 60_000,
  })
  useEffect(() => {
    const state = erpSession.get()
    if (me.data && state.session) {
      erpSession.set({ ...state, session: { ...state.session, person: me.data } })
    }
  }, [me.data])
}

/** What the role may see. */
function useMenu(): MenuEntry[] {
  const { t } = useTranslation()
  const can = useCan()
  const shown = (module: string, ...entries: MenuEntry[]) => (can(`${module}:view`) ? entries : [])
  const reports = shown(
    'reports',
    { path: '/reports/trial-balance', name: t('menu.trialBalance') },
    { path: '/reports/general-ledger', name: t('menu.generalLedger') },
  )
  const masters = masterKeys.flatMap((key) =>
    shown(key, { path: `/masters/${key}`, name: t(`masters.${key}.title`) }),
  )
  const group = (path: string, name: string, routes: MenuEntry[]) =>
    routes.length > 0 ? [{ path, name, routes }] : []
  return [
    { path: '/', name: t('menu.home'), icon: <HomeOutlined /> },
    ...shown('journal-entries', {
      path: '/journal-entries',
      name: t('menu.journalEntries'),
      icon: <FileTextOutlined />,
    }),
    ...shown('gl-accounts', { path: '/accounts', name: t('menu.accounts'), icon: <ApartmentOutlined /> }),
    ...shown('fiscal-years', {
      path: '/fiscal-years',
      name: t('menu.fiscalYears'),
      icon: <CalendarOutlined />,
    }),
    ...group('/reports', t('menu.reports'), reports),
    ...group('/masters', t('menu.masters'), masters),
  ]
}
