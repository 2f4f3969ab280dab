import { useEffect, useRef } from 'react'
import { ApartmentOutlined, CalendarOutlined, FileTextOutlined, HomeOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { App, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { RestrictedSession } from '../shared/account/RestrictedSession.tsx'
import { erpAccount } from '../shared/account/sides.ts'
import { erpApi, read } from '../shared/client.ts'
import { erpSession, signedOut } from '../shared/session.ts'
import { Shell, type MenuEntry } from '../shared/Shell.tsx'
import { useStored } from '../shared/stored.ts'
import { CompanySwitch } from './CompanySwitch.tsx'
import { masterKeys } from './masters/keys.ts'
import { SupportBanner } from './support/SupportBanner.tsx'
import { useCan, useCompany, useUser } from './useCompany.ts'

const SUPPORT_LOOK_MS = 30_000

export function ErpShell() {
  const { session, tenantCode } = useStored(erpSession)
  const companyId = useCompany()?.id
  const menu = useMenu()
  const navigate = useNavigate()
  useFreshUser(session?.person.restriction == null)
  useTellLostCompany()

  // Signed out here, in another tab, or by the server.
  useEffect(() => {
    if (!session) void navigate({ to: '/sign-in' })
  }, [session, navigate])

  // Changed over in another tab: what is open here is of the company before.
  const opened = useRef(companyId)
  useEffect(() => {
    if (companyId === undefined || opened.current === companyId) return
    opened.current = companyId
    void navigate({ to: '/' })
  }, [companyId, navigate])

  async function signOut() {
    // Even when the server cannot be told, this browser forgets.
    await erpApi.POST('/auth/logout').catch(() => undefined)
    signedOut(erpSession)
  }

  if (!session) return null
  if (session.person.restriction) {
    return (
      <RestrictedSession
        side={erpAccount}
        restriction={session.person.restriction}
        onSignOut={() => void signOut()}
      />
    )
  }
  return (
    <Shell
      key={companyId}
      home="/"
      menu={menu}
      personName={session.person.fullName}
      ownPage={`/settings/users/${session.person.id}`}
      context={
        <span>
          <CompanySwitch /> <Tag className="ltr">{tenantCode}</Tag>
        </span>
      }
      accountPath="/account"
      banner={<SupportBanner onLeave={() => void signOut()} />}
      onSignOut={() => void signOut()}
    />
  )
}

/** Role, permissions and companies may have changed since the session was stored. */
function useFreshUser(isEnabled: boolean) {
  const can = useCan()
  const me = useQuery({
    queryKey: ['me'],
    queryFn: () => read(erpApi.GET('/auth/me')),
    staleTime: 5 * 60_000,
    // What a confined session lacks is being mended: the page is not taken away meanwhile.
    enabled: isEnabled,
    // Whoever may send support away is told soon that it is there.
    refetchInterval: can('support-access:view') ? SUPPORT_LOOK_MS : false,
  })
  useEffect(() => {
    const state = erpSession.get()
    // Asked before the company was changed over, it is of the one before.
    if (me.data && me.data.companyId === state.session?.person.companyId) {
      erpSession.set({ ...state, session: { ...state.session, person: me.data } })
    }
  }, [me.data])
}

/** Whoever is taken to another company's books, because those that were open are theirs no more, is told why. */
function useTellLostCompany() {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const user = useUser()
  const known = useRef(user)
  useEffect(() => {
    const before = known.current
    known.current = user
    if (!before || !user || before.id !== user.id) return
    const left = before.companies.find(({ id }) => id === before.companyId)
    if (left && !user.companies.some(({ id }) => id === left.id)) {
      void message.warning(t('companies.lost', { company: left.name }))
    }
  }, [user, message, t])
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
  const settings = [
    ...shown('users', { path: '/settings/users', name: t('menu.users') }),
    ...shown('roles', { path: '/settings/roles', name: t('menu.roles') }),
    ...shown('companies', { path: '/settings/companies', name: t('menu.companies') }),
    ...shown('api-keys', { path: '/settings/api-keys', name: t('menu.apiKeys') }),
    ...shown('single-sign-on', { path: '/settings/single-sign-on', name: t('menu.singleSignOn') }),
    ...shown('mails', { path: '/settings/mails', name: t('menu.mails') }),
    ...shown('support-access', { path: '/settings/support-access', name: t('supportAccess.title') }),
    ...shown('audit-log', { path: '/settings/audit-log', name: t('menu.auditLog') }),
  ]
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
    ...group('/settings', t('menu.settings'), settings),
  ]
}
