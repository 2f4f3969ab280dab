/**
 * Glossary
 * - fleet: all tenants that have a database
 * - fleet migration: bringing the fleet to the schema of this code (up), or a former one of them back (down)
 * - wave: tenants migrated together; the next wave begins when every tenant of this one is done, failed or skipped
 * - canary: a tenant that goes first
 * - stopped: halted by itself, because too many of one wave failed; paused: halted by an operator
 * - drift: what a tenant's schema has or lacks compared with the template's
 * - rehearsal: the migration of a copy of one tenant, which is checked and thrown away
 */
import { Type } from 'typebox'
import {
  Id,
  IdParams,
  Instant,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
  Pagination,
} from '../../http/contract.ts'

export const fleetMigrationStatuses = ['running', 'paused', 'stopped', 'done', 'failed', 'cancelled'] as const
export const tenantMigrationStatuses = ['waiting', 'done', 'failed', 'skipped'] as const

const Version = nullable(Type.String({ description: 'Name of the newest migration a database has' }))
const Count = Type.Integer({ minimum: 0 })
const OperationId = Type.String({ description: 'Poll /platform/operations/{id}' })
const TenantCode = Type.String({ minLength: 2, maxLength: 40 })
const Reason = Type.String({ minLength: 3, maxLength: 500 })

// ---- the plan ------------------------------------------------------------------------------------------

export const WaveRequest = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 80 })),
    tenantCodes: Type.Optional(Type.Array(TenantCode, { minItems: 1, maxItems: 10_000 })),
    planCodes: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { minItems: 1, maxItems: 100 })),
    canaries: Type.Optional(Type.Boolean({ description: 'The tenants flagged as canaries' })),
  },
  {
    additionalProperties: false,
    description: 'Tenants by code, plan or canary flag; each goes with the first wave that names it',
  },
)

export const FleetPlan = Type.Object({
  targetVersion: Type.String(),
  tenants: Count,
  current: Count,
  behind: Count,
  ahead: Type.Integer({ minimum: 0, description: 'Of a newer version than this code; left alone' }),
  pendingMigrations: Type.Array(Type.String()),
  versions: Type.Array(
    Type.Object({ version: Version, tenants: Count, pendingMigrations: Type.Array(Type.String()) }),
  ),
  servers: Type.Array(Type.Object({ id: Id, name: Type.String(), tenants: Count, behind: Count })),
  plans: Type.Array(Type.Object({ planCode: Type.String(), tenants: Count, behind: Count })),
  waves: Type.Array(
    Type.Object({
      number: Type.Integer(),
      name: Type.String(),
      tenants: Count,
      tenantCodes: Type.Array(Type.String(), { description: 'The first hundred' }),
    }),
  ),
})

export const getFleetPlan = operation({
  name: 'getFleetPlan',
  method: 'GET',
  path: '/fleet/plan',
  summary: 'Which tenants are at which version, and the waves a fleet migration would take now',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'read',
  data: FleetPlan,
})

// ---- fleet migrations ----------------------------------------------------------------------------------

const Counts = { total: Count, waiting: Count, done: Count, failed: Count, skipped: Count }

export const FleetMigration = Type.Object({
  id: Id,
  operationId: OperationId,
  direction: oneOf(['up', 'down']),
  status: oneOf(fleetMigrationStatuses),
  statusReason: nullable(Type.String()),
  targetVersion: nullable(Type.String({ description: 'null: every tenant back to where it was' })),
  rollsBackId: nullable(Id),
  parallel: Type.Integer(),
  failurePercent: Type.Integer(),
  startedBy: Type.String(),
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  counts: Type.Object(Counts),
  createdAt: Instant,
  finishedAt: nullable(Instant),
})

export const TenantMigration = Type.Object({
  tenantId: Id,
  tenantCode: Type.String(),
  wave: Type.Integer(),
  status: oneOf(tenantMigrationStatuses),
  fromVersion: Version,
  toVersion: Version,
  currentVersion: Version,
  attempts: Count,
  error: nullable(Type.String()),
  durationMs: nullable(Type.Integer()),
  finishedAt: nullable(Instant),
})

export const FleetMigrationDetail = Type.Object({
  ...FleetMigration.properties,
  rolledBackById: nullable(Id),
  waves: Type.Array(
    Type.Object({
      number: Type.Integer(),
      name: Type.String(),
      status: oneOf(['waiting', 'backing_up', 'running', 'done']),
      ...Counts,
      startedAt: nullable(Instant),
      finishedAt: nullable(Instant),
    }),
  ),
  failures: Type.Array(TenantMigration, {
    description: 'The first two hundred; all by …/tenants?status=failed',
  }),
})

const StartedFleetMigration = Type.Object({
  id: nullable(Id),
  operationId: nullable(OperationId),
  status: oneOf(['planned', ...fleetMigrationStatuses], 'planned: a dry run; nothing was started'),
  plan: FleetPlan,
})

export const startFleetMigration = operation({
  name: 'startFleetMigration',
  method: 'POST',
  path: '/fleet-migrations',
  summary:
    'Bring every tenant to the schema of this code, wave by wave; with dryRun, tell the plan only (200)',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'steps',
  status: 202,
  body: Type.Optional(
    Type.Object(
      {
        waves: Type.Optional(
          Type.Array(WaveRequest, {
            maxItems: 100,
            description:
              'Instead of: canaries, then each plan from the smallest. Tenants that no wave names go with a last one',
          }),
        ),
        dryRun: Type.Optional(Type.Boolean()),
        parallel: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        failurePercent: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 100,
            description: 'Stops by itself when more of one wave have failed',
          }),
        ),
      },
      { additionalProperties: false },
    ),
  ),
  data: StartedFleetMigration,
})

export const listFleetMigrations = operation({
  name: 'listFleetMigrations',
  method: 'GET',
  path: '/fleet-migrations',
  summary: 'Fleet migrations, newest first',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'read',
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: pageQuery.limit,
      status: Type.Optional(oneOf(fleetMigrationStatuses)),
    },
    { additionalProperties: false },
  ),
  data: pageOf('fleetMigrations', FleetMigration),
})

export const getFleetMigration = operation({
  name: 'getFleetMigration',
  method: 'GET',
  path: '/fleet-migrations/{id}',
  summary: 'How far a fleet migration is: counts by wave, and what failed',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'read',
  params: IdParams,
  data: FleetMigrationDetail,
})

export const listTenantMigrations = operation({
  name: 'listTenantMigrations',
  method: 'GET',
  path: '/fleet-migrations/{id}/tenants',
  summary: 'The tenants of a fleet migration, in the order of its waves',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'read',
  params: IdParams,
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: pageQuery.limit,
      status: Type.Optional(oneOf(tenantMigrationStatuses)),
      wave: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    },
    { additionalProperties: false },
  ),
  data: pageOf('tenants', TenantMigration),
})

const TenantIds = Type.Array(Id, { minItems: 1, maxItems: 10_000 })

export const pauseFleetMigration = operation({
  name: 'pauseFleetMigration',
  method: 'POST',
  path: '/fleet-migrations/{id}/pause',
  summary: 'Begin no further tenant; those under way are finished',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'write',
  params: IdParams,
  body: Type.Optional(Type.Object({ reason: Type.Optional(Reason) }, { additionalProperties: false })),
  data: FleetMigrationDetail,
})

export const resumeFleetMigration = operation({
  name: 'resumeFleetMigration',
  method: 'POST',
  path: '/fleet-migrations/{id}/resume',
  summary: 'Go on where a paused or stopped fleet migration was left',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: FleetMigrationDetail,
})

export const retryFleetMigration = operation({
  name: 'retryFleetMigration',
  method: 'POST',
  path: '/fleet-migrations/{id}/retry',
  summary: 'Try the failed tenants again: those named, or all of them',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'steps',
  status: 202,
  params: IdParams,
  body: Type.Optional(Type.Object({ tenantIds: Type.Optional(TenantIds) }, { additionalProperties: false })),
  data: FleetMigrationDetail,
})

export const skipTenantMigrations = operation({
  name: 'skipTenantMigrations',
  method: 'POST',
  path: '/fleet-migrations/{id}/skip',
  summary: 'Leave tenants out that wait or have failed',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'write',
  params: IdParams,
  body: Type.Object({ tenantIds: TenantIds, reason: Reason }, { additionalProperties: false }),
  data: FleetMigrationDetail,
})

export const cancelFleetMigration = operation({
  name: 'cancelFleetMigration',
  method: 'POST',
  path: '/fleet-migrations/{id}/cancel',
  summary: 'Give up a paused or stopped fleet migration: what is done stays, the rest is left as it is',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'write',
  params: IdParams,
  body: Type.Optional(Type.Object({ reason: Type.Optional(Reason) }, { additionalProperties: false })),
  data: FleetMigrationDetail,
})

export const rollBackFleetMigration = operation({
  name: 'rollBackFleetMigration',
  needsApproval: true,
  method: 'POST',
  path: '/fleet-migrations/{id}/rollback',
  summary:
    'Undo a fleet migration by its down parts, for all its tenants or some: a fleet migration of its own',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'steps',
  status: 202,
  params: IdParams,
  body: Type.Optional(
    Type.Object(
      { tenantIds: Type.Optional(TenantIds), reason: Type.Optional(Reason) },
      { additionalProperties: false },
    ),
  ),
  data: FleetMigrationDetail,
})

export const setTenantCanary = operation({
  name: 'setTenantCanary',
  method: 'PUT',
  path: '/tenants/{id}/canary',
  summary: 'Whether the tenant goes first when the fleet is migrated',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'write',
  params: IdParams,
  body: Type.Object({ isCanary: Type.Boolean() }, { additionalProperties: false }),
  data: Type.Object({ tenantId: Id, tenantCode: Type.String(), isCanary: Type.Boolean() }),
})

// ---- what the schemas are really like ------------------------------------------------------------------

export const schemaStatuses = ['same', 'drifted', 'behind', 'ahead', 'unreachable'] as const

export const SchemaReport = Type.Object({
  codeVersion: Type.String({ description: 'What the code of this process makes of the template' }),
  tenants: Type.Array(
    Type.Object({
      tenantId: Id,
      tenantCode: Type.String(),
      serverName: Type.String(),
      recordedVersion: Version,
      actualVersion: Version,
      fingerprint: nullable(
        Type.String({
          description: 'Of tables, columns, constraints, indexes, triggers, functions, policies, rights',
        }),
      ),
      templateFingerprint: nullable(Type.String()),
      status: oneOf(schemaStatuses),
      differenceCount: Count,
      differences: Type.Array(
        Type.Object({
          kind: oneOf(['missing', 'unexpected', 'different']),
          object: Type.String({ examples: ['index finance.journal_line_account'] }),
          expected: nullable(Type.String()),
          found: nullable(Type.String()),
        }),
        { description: 'The first fifty' },
      ),
      error: nullable(Type.String()),
    }),
  ),
  pagination: Pagination,
})

export const getSchemaReport = operation({
  name: 'getSchemaReport',
  method: 'GET',
  path: '/fleet/schema-report',
  summary: "Every tenant's schema, read from its database now and compared with the template's",
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'steps',
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 200 })),
      tenantCode: Type.Optional(TenantCode),
    },
    { additionalProperties: false },
  ),
  data: SchemaReport,
})

// ---- rehearsals ----------------------------------------------------------------------------------------

export const FleetRehearsal = Type.Object({
  id: Id,
  operationId: OperationId,
  tenantId: Id,
  tenantCode: Type.String(),
  status: oneOf(['running', 'done', 'failed'], 'done: the copy was migrated, and its checks found nothing'),
  fromVersion: Version,
  toVersion: Version,
  copyMs: nullable(Type.Integer()),
  migrateMs: nullable(Type.Integer()),
  checkMs: nullable(Type.Integer()),
  steps: Type.Array(Type.Object({ name: Type.String(), milliseconds: Type.Integer() })),
  findings: Type.Array(Type.String()),
  error: nullable(Type.String()),
  createdAt: Instant,
  finishedAt: nullable(Instant),
})

export const startFleetRehearsal = operation({
  name: 'startFleetRehearsal',
  method: 'POST',
  path: '/fleet-rehearsals',
  summary: 'Copy a tenant, migrate the copy, check its books, and throw it away',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:migrate',
  access: 'steps',
  status: 202,
  body: Type.Object({ tenantId: Id }, { additionalProperties: false }),
  data: FleetRehearsal,
})

export const listFleetRehearsals = operation({
  name: 'listFleetRehearsals',
  method: 'GET',
  path: '/fleet-rehearsals',
  summary: 'Rehearsals, newest first',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'read',
  query: Type.Object({ page: pageQuery.page, limit: pageQuery.limit }, { additionalProperties: false }),
  data: pageOf('rehearsals', FleetRehearsal),
})

export const getFleetRehearsal = operation({
  name: 'getFleetRehearsal',
  method: 'GET',
  path: '/fleet-rehearsals/{id}',
  summary: 'How a rehearsal went',
  tag: 'Fleet',
  audience: 'platform',
  permission: 'fleet:view',
  access: 'read',
  params: IdParams,
  data: FleetRehearsal,
})
