/** Every address of the portal. Screens are fetched when they are first visited. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { filterNames, type AuditFilter } from './shared/audit/filter.ts'
import { erpSession, operatorSession } from './shared/session.ts'
import { ErrorState, LoadingState } from './shared/states.tsx'
import { NotFoundPage } from './shared/NotFoundPage.tsx'

const rootRoute = createRootRoute({ component: Outlet })

// ---- operator ------------------------------------------------------------------------------------------

const operatorSignIn = createRoute({
  getParentRoute: () => rootRoute,
  path: '/operator/sign-in',
  validateSearch: signInSearch,
  component: lazyRouteComponent(() => import('./operator/OperatorSignIn.tsx'), 'OperatorSignIn'),
})

const operatorSetPassword = createRoute({
  getParentRoute: () => rootRoute,
  path: '/operator/set-password',
  validateSearch: (search: Record<string, unknown>) => textOf(search, 'token'),
  component: lazyRouteComponent(() => import('./operator/OperatorSetPassword.tsx'), 'OperatorSetPassword'),
})

const operator = createRoute({
  getParentRoute: () => rootRoute,
  path: '/operator',
  beforeLoad: ({ location }) => {
    if (!operatorSession.get().session) {
      throw redirect({ to: '/operator/sign-in', search: { next: location.href } })
    }
  },
  component: lazyRouteComponent(() => import('./operator/OperatorShell.tsx'), 'OperatorShell'),
})

const operatorHome = createRoute({
  getParentRoute: () => operator,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/operator/tenants' })
  },
})

const tenants = createRoute({
  getParentRoute: () => operator,
  path: '/tenants',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/tenants/TenantsPage.tsx'), 'TenantsPage'),
})

const newTenant = createRoute({
  getParentRoute: () => operator,
  path: '/tenants/new',
  component: lazyRouteComponent(() => import('./operator/tenants/NewTenantPage.tsx'), 'NewTenantPage'),
})

const tenant = createRoute({
  getParentRoute: () => operator,
  path: '/tenants/$tenantId',
  validateSearch: (search: Record<string, unknown>) => textOf(search, 'tab'),
  component: lazyRouteComponent(() => import('./operator/tenants/TenantPage.tsx'), 'TenantPage'),
})

const plans = createRoute({
  getParentRoute: () => operator,
  path: '/plans',
  component: lazyRouteComponent(() => import('./operator/plans/PlansPage.tsx'), 'PlansPage'),
})

const servers = createRoute({
  getParentRoute: () => operator,
  path: '/servers',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/servers/ServersPage.tsx'), 'ServersPage'),
})

const fleet = createRoute({
  getParentRoute: () => operator,
  path: '/fleet',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/fleet/FleetPage.tsx'), 'FleetPage'),
})

const schemaReport = createRoute({
  getParentRoute: () => operator,
  path: '/fleet/schema',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/fleet/SchemaReportPage.tsx'), 'SchemaReportPage'),
})

const fleetMigration = createRoute({
  getParentRoute: () => operator,
  path: '/fleet/$migrationId',
  component: lazyRouteComponent(
    () => import('./operator/fleet/FleetMigrationPage.tsx'),
    'FleetMigrationPage',
  ),
})

const backups = createRoute({
  getParentRoute: () => operator,
  path: '/backups',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/backups/BackupsPage.tsx'), 'BackupsPage'),
})

const alerts = createRoute({
  getParentRoute: () => operator,
  path: '/alerts',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/alerts/AlertsPage.tsx'), 'AlertsPage'),
})

const platformMails = createRoute({
  getParentRoute: () => operator,
  path: '/mails',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/mails/MailsPage.tsx'), 'MailsPage'),
})

const operations = createRoute({
  getParentRoute: () => operator,
  path: '/operations',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/operations/OperationsPage.tsx'), 'OperationsPage'),
})

const operatorAuditLog = createRoute({
  getParentRoute: () => operator,
  path: '/audit-log',
  validateSearch: auditSearch,
  component: lazyRouteComponent(
    () => import('./operator/audit/OperatorAuditLogPage.tsx'),
    'OperatorAuditLogPage',
  ),
})

const operators = createRoute({
  getParentRoute: () => operator,
  path: '/operators',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/operators/OperatorsPage.tsx'), 'OperatorsPage'),
})

const operatorAccount = createRoute({
  getParentRoute: () => operator,
  path: '/account',
  component: lazyRouteComponent(() => import('./shared/account/AccountPage.tsx'), 'OperatorAccountPage'),
})

const approvals = createRoute({
  getParentRoute: () => operator,
  path: '/approvals',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/approvals/ApprovalsPage.tsx'), 'ApprovalsPage'),
})

// ---- ERP -----------------------------------------------------------------------------------------------

const erpSignIn = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>) => ({
    ...signInSearch(search),
    ...textOf(search, 'tenant'),
  }),
  component: lazyRouteComponent(() => import('./erp/ErpSignIn.tsx'), 'ErpSignIn'),
})

const singleSignOnReturn = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in/return',
  component: lazyRouteComponent(() => import('./erp/single-sign-on/ReturnPage.tsx'), 'ReturnPage'),
})

const setPassword = createRoute({
  getParentRoute: () => rootRoute,
  path: '/set-password',
  validateSearch: (search: Record<string, unknown>) => ({
    ...textOf(search, 'token'),
    ...textOf(search, 'tenant'),
  }),
  component: lazyRouteComponent(() => import('./erp/SetPasswordPage.tsx'), 'SetPasswordPage'),
})

const erp = createRoute({
  getParentRoute: () => rootRoute,
  id: '_erp',
  beforeLoad: ({ location }) => {
    if (!erpSession.get().session) throw redirect({ to: '/sign-in', search: { next: location.href } })
  },
  component: lazyRouteComponent(() => import('./erp/ErpShell.tsx'), 'ErpShell'),
})

const home = createRoute({
  getParentRoute: () => erp,
  path: '/',
  component: lazyRouteComponent(() => import('./erp/HomePage.tsx'), 'HomePage'),
})

const accounts = createRoute({
  getParentRoute: () => erp,
  path: '/accounts',
  component: lazyRouteComponent(() => import('./erp/accounts/AccountsPage.tsx'), 'AccountsPage'),
})

const journalEntries = createRoute({
  getParentRoute: () => erp,
  path: '/journal-entries',
  validateSearch: (search: Record<string, unknown>) => ({ ...listSearch(search), ...rangeSearch(search) }),
  component: lazyRouteComponent(() => import('./erp/journals/JournalListPage.tsx'), 'JournalListPage'),
})

const newJournalEntry = createRoute({
  getParentRoute: () => erp,
  path: '/journal-entries/new',
  component: lazyRouteComponent(
    () => import('./erp/journals/NewJournalEntryPage.tsx'),
    'NewJournalEntryPage',
  ),
})

const journalEntry = createRoute({
  getParentRoute: () => erp,
  path: '/journal-entries/$entryId',
  component: lazyRouteComponent(() => import('./erp/journals/JournalEntryPage.tsx'), 'JournalEntryPage'),
})

const journalEntryEdit = createRoute({
  getParentRoute: () => erp,
  path: '/journal-entries/$entryId/edit',
  component: lazyRouteComponent(
    () => import('./erp/journals/EditJournalEntryPage.tsx'),
    'EditJournalEntryPage',
  ),
})

const trialBalance = createRoute({
  getParentRoute: () => erp,
  path: '/reports/trial-balance',
  validateSearch: (search: Record<string, unknown>) => textOf(search, 'asOf'),
  component: lazyRouteComponent(() => import('./erp/reports/TrialBalancePage.tsx'), 'TrialBalancePage'),
})

const generalLedger = createRoute({
  getParentRoute: () => erp,
  path: '/reports/general-ledger',
  validateSearch: (search: Record<string, unknown>) => ({
    ...textOf(search, 'accountId'),
    ...rangeSearch(search),
  }),
  component: lazyRouteComponent(() => import('./erp/reports/GeneralLedgerPage.tsx'), 'GeneralLedgerPage'),
})

const fiscalYears = createRoute({
  getParentRoute: () => erp,
  path: '/fiscal-years',
  component: lazyRouteComponent(() => import('./erp/fiscal/FiscalYearsPage.tsx'), 'FiscalYearsPage'),
})

const masters = createRoute({
  getParentRoute: () => erp,
  path: '/masters/$master',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./erp/masters/MasterPage.tsx'), 'MasterPage'),
})

const auditLog = createRoute({
  getParentRoute: () => erp,
  path: '/settings/audit-log',
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('./erp/audit/AuditLogPage.tsx'), 'AuditLogPage'),
})

const account = createRoute({
  getParentRoute: () => erp,
  path: '/account',
  component: lazyRouteComponent(() => import('./shared/account/AccountPage.tsx'), 'ErpAccountPage'),
})

const apiKeys = createRoute({
  getParentRoute: () => erp,
  path: '/settings/api-keys',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./erp/api-keys/ApiKeysPage.tsx'), 'ApiKeysPage'),
})

const singleSignOn = createRoute({
  getParentRoute: () => erp,
  path: '/settings/single-sign-on',
  component: lazyRouteComponent(
    () => import('./erp/single-sign-on/SingleSignOnPage.tsx'),
    'SingleSignOnPage',
  ),
})

const supportEntry = createRoute({
  getParentRoute: () => rootRoute,
  path: '/support',
  component: lazyRouteComponent(() => import('./erp/support/SupportEntryPage.tsx'), 'SupportEntryPage'),
})

const supportAccess = createRoute({
  getParentRoute: () => erp,
  path: '/settings/support-access',
  component: lazyRouteComponent(() => import('./erp/support/SupportAccessPage.tsx'), 'SupportAccessPage'),
})

// ---- settings of a tenant

const users = createRoute({
  getParentRoute: () => erp,
  path: '/settings/users',
  validateSearch: (search: Record<string, unknown>) => ({
    ...listSearch(search),
    ...textOf(search, 'roleId'),
    ...textOf(search, 'deleted'),
  }),
  component: lazyRouteComponent(() => import('./erp/users/UsersPage.tsx'), 'UsersPage'),
})

const user = createRoute({
  getParentRoute: () => erp,
  path: '/settings/users/$userId',
  validateSearch: (search: Record<string, unknown>) => textOf(search, 'tab'),
  component: lazyRouteComponent(() => import('./erp/users/UserPage.tsx'), 'UserPage'),
})

const roles = createRoute({
  getParentRoute: () => erp,
  path: '/settings/roles',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./erp/roles/RolesPage.tsx'), 'RolesPage'),
})

const role = createRoute({
  getParentRoute: () => erp,
  path: '/settings/roles/$roleId',
  component: lazyRouteComponent(() => import('./erp/roles/RolePage.tsx'), 'RolePage'),
})

const companies = createRoute({
  getParentRoute: () => erp,
  path: '/settings/companies',
  component: lazyRouteComponent(() => import('./erp/companies/CompaniesPage.tsx'), 'CompaniesPage'),
})

const tenantMails = createRoute({
  getParentRoute: () => erp,
  path: '/settings/mails',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./erp/mails/MailsPage.tsx'), 'MailsPage'),
})

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    operatorSignIn,
    operatorSetPassword,
    operator.addChildren([
      operatorHome,
      tenants,
      newTenant,
      tenant,
      plans,
      servers,
      fleet,
      schemaReport,
      fleetMigration,
      backups,
      alerts,
      platformMails,
      operations,
      operatorAuditLog,
      operators,
      operatorAccount,
      approvals,
    ]),
    supportEntry,
    erpSignIn,
    singleSignOnReturn,
    setPassword,
    erp.addChildren([
      home,
      accounts,
      journalEntries,
      newJournalEntry,
      journalEntry,
      journalEntryEdit,
      trialBalance,
      generalLedger,
      fiscalYears,
      masters,
      auditLog,
      account,
      apiKeys,
      singleSignOn,
      supportAccess,
      users,
      user,
      roles,
      role,
      companies,
      tenantMails,
    ]),
  ]),
  defaultPreload: 'intent',
  defaultPendingComponent: LoadingState,
  defaultErrorComponent: ({ error, reset }) => <ErrorState error={error} onRetry={reset} />,
  defaultNotFoundComponent: NotFoundPage,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

// ---- what addresses may carry after the question mark ---------------------------------------------------

function signInSearch(search: Record<string, unknown>): { next?: string } {
  return textOf(search, 'next')
}

function listSearch(search: Record<string, unknown>) {
  const page = Number(search['page'])
  return {
    ...(Number.isInteger(page) && page > 1 ? { page } : {}),
    ...textOf(search, 'search'),
    ...textOf(search, 'status'),
  } as { page?: number; search?: string; status?: string }
}

function auditSearch(search: Record<string, unknown>): AuditFilter {
  return Object.assign({}, ...filterNames.map((name) => textOf(search, name)))
}

function rangeSearch(search: Record<string, unknown>) {
  return { ...textOf(search, 'from'), ...textOf(search, 'to') }
}

/** The router reads `?search=1000` as a number; to us it is the text that was typed. */
function textOf<const Name extends string>(search: Record<string, unknown>, name: Name) {
  const value = search[name]
  const isText = typeof value === 'string' || typeof value === 'number'
  return (isText && value !== '' ? { [name]: String(value) } : {}) as { [K in Name]?: string }
}
