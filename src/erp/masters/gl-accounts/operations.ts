import { implement, type Route } from '../../../http/route.ts'
import { statement, type TenantRead } from '../../../tenancy/handles.ts'
import { MasterStore, masterRoutes, type MasterRow } from '../engine.ts'
import { glAccount, glAccountTree } from './definition.ts'
import { checkAccount, type AccountSurroundings, type AccountValues } from './rules/account.ts'

const ACCOUNTS_MAXIMUM = 20_000

export const glAccountRoutes: Route[] = [
  implement(glAccountTree, async (tx) => ({ glAccounts: await readTree(tx) as never })), // prettier-ignore
  ...masterRoutes(glAccount, {
    // Two accounts, each moved below the other one at the same moment, would make a circle.
    lock: async (tx) => {
      await tx.prepared(LOCK_CHART, [tx.companyId])
    },
    check: async (tx, values, before) => {
      const account = values as unknown as AccountValues
      return checkAccount(account, before as AccountValues | undefined, await surroundings(tx, account))
    },
  }),
]

async function surroundings(tx: TenantRead, account: AccountValues): Promise<AccountSurroundings> {
  const [ancestors, children, [facts]] = await Promise.all([
    tx.prepared(ANCESTORS, [account.parentId]),
    tx.prepared(CHILDREN, [account.id ?? null]),
    tx.prepared(FACTS, [account.id ?? null, account.currency]),
  ])
  return {
    parent: ancestors.find(({ id }) => id === account.parentId),
    ancestorIds: ancestors.map(({ id }) => id),
    childTypes: children.map(({ type }) => type),
    hasPostings: facts?.has_postings ?? false,
    isCurrencyKnown: facts?.is_currency_known ?? false,
  }
}

type TreeNode = MasterRow & { children: TreeNode[] }

async function readTree(tx: TenantRead): Promise<TreeNode[]> {
  const rows = await new MasterStore(glAccount).all(tx, ACCOUNTS_MAXIMUM)
  const nodes = new Map(rows.map((row) => [row.id, { ...row, children: [] } as TreeNode]))
  const roots: TreeNode[] = []
  for (const node of nodes.values()) {
    const parent = nodes.get(String(node['parentId']))
    if (parent) parent.children.push(node)
    else roots.push(node)
  }
  return roots
}

const LOCK_CHART = statement(
  'lock-chart',
  `SELECT pg_advisory_xact_lock(hashtextextended('chart' || $1::text, 0))`,
)

const ANCESTORS = statement<{ id: string; type: string; code: string }>(
  'account-ancestors',
  `WITH RECURSIVE above AS (
     SELECT id, type, code, parent_id FROM masters.gl_account WHERE id = $1 AND deleted_at IS NULL
     UNION SELECT a.id, a.type, a.code, a.parent_id FROM masters.gl_account a JOIN above ON a.id = above.parent_id
   ) SELECT id, type, code FROM above`,
)

const CHILDREN = statement<{ type: string }>(
  'account-child-types',
  'SELECT DISTINCT type FROM masters.gl_account WHERE parent_id = $1 AND deleted_at IS NULL',
)

const FACTS = statement<{ has_postings: boolean; is_currency_known: boolean }>(
  'account-facts',
  `SELECT EXISTS (SELECT FROM finance.account_balance WHERE account_id = $1) AS has_postings,
     EXISTS (SELECT FROM masters.currency WHERE code = $2 AND is_active AND deleted_at IS NULL) AS is_currency_known`,
)
