/** Every address of the portal. Screens are fetched when they are first visited. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
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

const operations = createRoute({
  getParentRoute: () => operator,
  path: '/operations',
  validateSearch: listSearch,
  component: lazyRouteComponent(() => import('./operator/operations/OperationsPage.tsx'), 'OperationsPage'),
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

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    operatorSignIn,
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
      operations,
    ]),
    erpSignIn,
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

function rangeSearch(search: Record<string, unknown>) {
  return { ...textOf(search, 'from'), ...textOf(search, 'to') }
}

/** The router reads `?search=1000` as a number; to us it is the text that was typed. */
function textOf<const Name extends string>(search: Record<string, unknown>, name: Name) {
  const value = search[name]
  const isText = typeof value === 'string' || typeof value === 'number'
  return (isText && value !== '' ? { [name]: String(value) } : {}) as { [K in Name]?: string }
}
