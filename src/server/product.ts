/**
 * The product, put together: database server, platform, workflows, HTTP. Every program (server, worker,
 * command line, test) starts it here and takes the parts it needs.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { senderOf } from '../erp/identity/email/sender.ts'
import type { IdentityPorts } from '../erp/identity/ports.ts'
import { purgeAttempts } from '../erp/identity/single-sign-on/signing-in.ts'
import { IdentityProviders } from '../erp/identity/single-sign-on/provider.ts'
import { UserSessions } from '../erp/identity/sessions.ts'
import { Refusals } from '../audit/refusals.ts'
import { userAccounts } from '../erp/identity/accounts.ts'
import { Passwords } from '../accounts/passwords.ts'
import { SecondFactors } from '../accounts/second-factors.ts'
import { Outbox } from '../mail/outbox.ts'
import { serverOfUrl } from '../mail/transport.ts'
import { isApiKey } from '../http/api-keys.ts'
import { Metrics } from '../http/metrics.ts'
import { purgeAnswers } from '../http/idempotency.ts'
import { Counters } from '../http/counters.ts'
import { purgeRateCounts, RateLimits } from '../http/rate-limits.ts'
import type { Route } from '../http/route.ts'
import { createHttpServer, type HttpPorts } from '../http/server.ts'
import { Tokens } from '../http/tokens.ts'
import { Workflows } from '../jobs/workflows.ts'
import { announce, Announcements, type Announcement } from '../platform/announcements.ts'
import { checkTenant } from '../erp/checks/tenant.ts'
import { AuditChains } from '../platform/audit/chains.ts'
import { MailRelay, type MailSettings } from '../platform/mails/relay.ts'
import { FleetMigrations, type FleetPorts } from '../platform/fleet/fleet.ts'
import { Backups } from '../platform/backups/backups.ts'
import { backupFigures } from '../platform/backups/figures.ts'
import { Storages } from '../platform/storage/storages.ts'
import type { FleetServices } from '../platform/fleet/operations.ts'
import { countBehind } from '../platform/fleet/plan.ts'
import { Rehearsals } from '../platform/fleet/rehearsal.ts'
import { SchemaReports } from '../platform/fleet/schema-report.ts'
import { operatorAccounts, type OperatorPorts } from '../platform/operators/accounts.ts'
import { Approvals } from '../platform/approvals/approvals.ts'
import { SupportSessions } from '../platform/support/sessions.ts'
import { ensureFirstOperator, OperatorSessions } from '../platform/operators/sessions.ts'
import { Moving } from '../platform/moves/moving.ts'
import { SecretRotation } from '../platform/secrets/rotation.ts'
import { ServerHealthChecks } from '../platform/servers/health.ts'
import { DatabaseServers } from '../platform/servers/registry.ts'
import { TenantDatabases } from '../platform/tenants/databases.ts'
import { VISIT_SETTINGS, TenantVisits, type VisitSettings } from '../platform/tenants/visits.ts'
import { TenantDirectory } from '../platform/tenants/directory.ts'
import { Housekeeping, PURGE_BATCH } from '../platform/tenants/housekeeping.ts'
import { DatabasePasswords } from '../platform/tenants/passwords.ts'
import { Provisioning, type ProvisioningPorts } from '../platform/tenants/provisioning.ts'
import { addressOf, DatabaseServer, sslOf } from '../tenancy/databases.ts'
import { startEmbeddedPostgres } from '../tenancy/embedded.ts'
import { Gate } from '../tenancy/gate.ts'
import { platformSql, tenantSql, type Actor, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import { checkDatabaseServer } from '../tenancy/database-settings.ts'
import { migrate, newestVersion } from '../tenancy/migrations.ts'
import { ConnectionPools, type DatabaseAddress } from '../tenancy/pools.ts'
import { Secrets } from '../tenancy/secrets.ts'
import { publicAddress, tenantAddress } from './addresses.ts'
import type { Configuration } from './configuration.ts'
import { assembleRecovery, type Recovery } from './recovery.ts'
import { allRoutes, tenantPermissions } from './routes.ts'
import { mountTokenEndpoints } from './token-endpoints.ts'

export const VERSION = '0.1.0'
export const PORTAL_FOLDER = join(import.meta.dirname, '..', '..', 'dist', 'portal')
export const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'system', address: null }
/** Key of the advisory lock under which the platform's databases are made. */
const PLATFORM_LOCK = 7_241_860_004
const TEND_EVERY_MS = 60_000
/** What is looked after when the process stops may be finished; then it stops all the same. */
const TEND_STOP_MS = 10_000
const OPEN_DOORS_NAMED = 10
const CLOSE_IDLE_EVERY_MS = 50

export interface ProductOptions {
  readonly log?: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests only; see ProvisioningPorts. */
  readonly atStep?: ProvisioningPorts['atStep']
  readonly compensationAttempts?: number
  readonly tendEveryMs?: number
  /** Does what it is asked for, and nothing that has fallen due or that others left behind: short commands, tests. */
  readonly onlyAsked?: boolean
  /** Tests do not wait for minutes. */
  readonly visits?: VisitSettings
  /** Tests only: the authority of their mail server's certificate. */
  readonly mailCertificateAuthority?: string
  /** Tests only; see WavePorts. */
  readonly atTenant?: FleetPorts['atTenant']
}

/** What is to be sent, beside the change that causes it. */
export interface Mails {
  readonly tenant: Outbox<TenantTx>
  readonly platform: Outbox<PlatformTx>
}

export interface Product {
  readonly configuration: Configuration
  readonly gate: Gate
  readonly secrets: Secrets
  readonly secretRotation: SecretRotation
  /** The server of the configuration. */
  readonly server: DatabaseServer
  readonly servers: DatabaseServers
  readonly directory: TenantDirectory
  readonly databases: TenantDatabases
  readonly provisioning: Provisioning
  readonly housekeeping: Housekeeping
  readonly backups: Backups
  readonly moving: Moving
  readonly workflows: Workflows
  readonly tokens: Tokens
  readonly operators: OperatorPorts
  readonly routes: readonly Route[]
  readonly fleet: FleetServices
  readonly mails: Mails
  readonly auditChains: AuditChains
  readonly refusals: Refusals
  readonly support: SupportSessions
  /** undefined: nothing waits for a second operator. */
  readonly approvals: Approvals | undefined
  readonly recovery: Recovery
  /** Makes the first operator if there is none; a generated password comes back this one time, to be shown. */
  ensureFirstOperator(): Promise<string | undefined>
  /** Starts answering; resolves to the port. */
  listen(): Promise<number>
  stop(): Promise<void>
}

export async function startProduct(
  configuration: Configuration,
  options: ProductOptions = {},
): Promise<Product> {
  const log = options.log ?? (() => {})
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).toReversed()) await step()
  }
  try {
    const { admin, platform } = await connectDatabases(configuration, stops)
    const secrets = new Secrets(configuration.secretKey, configuration.previousSecretKeys)
    const server = new DatabaseServer(admin, secrets, { pooler: poolerOf(configuration) })
    stops.push(() => server.close())
    await checkDatabaseServer(server, configuration.environment === 'production', log)
    await server.prepare()
    secrets.use(server.keyId) // processes that know an earlier key only may still be running
    if (secrets.keyId !== secrets.newestKeyId) {
      log('info', 'SECRET_KEY is not in use yet: `erp secrets rotate` changes over to it')
    }
    const platformAddress = platform ?? server.migratorAddress('erp_platform')
    await ensurePlatform(server, platformAddress)
    await warnOfOpenDoors(server, log)
    return await assemble({ configuration, server, secrets, platformAddress, log, stops, stop, options })
  } catch (error) {
    await stop()
    throw error
  }
}

// ---- databases -----------------------------------------------------------------------------------------

async function connectDatabases(
  configuration: Configuration,
  stops: (() => Promise<void>)[],
): Promise<{ admin: DatabaseAddress; platform: DatabaseAddress | undefined }> {
  const ssl = sslOf(configuration.databaseSslMode, configuration.databaseCertificateAuthority)
  if (configuration.databaseUrl !== undefined) {
    const platform = addressOf(configuration.databaseUrl, ssl)
    const admin = addressOf(configuration.adminDatabaseUrl ?? configuration.databaseUrl, ssl)
    return {
      admin: { ...admin, database: configuration.adminDatabaseUrl ? admin.database : 'postgres' },
      platform,
    }
  }
  const embedded = await startEmbeddedPostgres({ directory: configuration.dataDirectory })
  stops.push(embedded.stop)
  return { admin: addressOf(embedded.adminUrl, false), platform: undefined }
}

function poolerOf(configuration: Configuration): DatabaseAddress | undefined {
  const { poolerUrl, databaseSslMode, databaseCertificateAuthority } = configuration
  return poolerUrl === undefined
    ? undefined
    : addressOf(poolerUrl, sslOf(databaseSslMode, databaseCertificateAuthority))
}

async function ensurePlatform(server: DatabaseServer, platform: DatabaseAddress): Promise<void> {
  // Two processes that start at the same moment on an empty server take turns.
  await server.withLock(PLATFORM_LOCK, async () => {
    for (const database of [platform.database, workflowDatabaseOf(platform).database]) {
      if (!(await server.exists(database))) await server.create(database, undefined, platform.user)
      // One that an administrator made is open to every role of the server, tenants' too.
      await server.closeToOthers(database, platform.user)
    }
  })
  await migrate(platform, 'platform')
}

/** Databases of others on our server are theirs to shut; a tenant's role should not be able to enter them. */
async function warnOfOpenDoors(server: DatabaseServer, log: Parts['log']): Promise<void> {
  const open = await server.openDoors()
  if (open.length === 0) return
  const named = open.slice(0, OPEN_DOORS_NAMED).join(', ')
  log(
    'warn',
    `${open.length} database(s) of this server are open to every role, tenants' too: ${named}. Their owners should REVOKE CONNECT ON DATABASE … FROM PUBLIC`,
  )
}

function workflowDatabaseOf(platform: DatabaseAddress): DatabaseAddress {
  return { ...platform, database: `${platform.database}_workflows` }
}

// ---- putting together ----------------------------------------------------------------------------------

interface Parts {
  readonly configuration: Configuration
  readonly server: DatabaseServer
  readonly secrets: Secrets
  readonly platformAddress: DatabaseAddress
  readonly log: NonNullable<ProductOptions['log']>
  readonly stops: (() => Promise<void>)[]
  readonly stop: () => Promise<void>
  readonly options: ProductOptions
}

async function assemble(parts: Parts): Promise<Product> {
  const { configuration, server, secrets, platformAddress, log, stops } = parts
  const metrics = new Metrics()
  const visits = new TenantVisits({
    gate: () => gate,
    directory: () => directory,
    settings: parts.options.visits ?? VISIT_SETTINGS,
    log,
  })
  const gate = createGate(parts, metrics, visits)
  const isProduction = configuration.environment === 'production'
  const servers = new DatabaseServers({
    gate,
    secrets,
    configured: server,
    certificateAuthority: configuration.databaseCertificateAuthority,
    isProduction,
    log,
  })
  stops.push(() => servers.close())
  const directory = new TenantDirectory({
    gate,
    servers,
    secrets,
    schemaVersion: newestVersion('tenant'),
    baseDomain: configuration.baseDomain,
  })
  const tokens = new Tokens({
    keys: () => {
      const ids = new Set([secrets.keyId, ...secrets.keyIds])
      return [...ids].map((id) => secrets.derive('access-tokens', 64, id))
    },
    algorithm: configuration.jwtAlgorithm,
    accessTokenSeconds: configuration.accessTokenSeconds,
  })
  const databases = new TenantDatabases({
    gate,
    servers,
    secrets,
    readyTarget: configuration.readyDatabasesTarget,
    log,
  })
  stops.push(() => databases.stop())
  const mails: Mails = {
    tenant: new Outbox<TenantTx>('core.mail', secrets),
    platform: new Outbox<PlatformTx>('platform.mail', secrets),
  }
  const mailing = mailSettings(parts)
  const relay = new MailRelay({
    gate,
    settings: mailing,
    outboxes: mails,
    senderOf: (tenant, userId) =>
      gate.readTenant(tenant, null, SYSTEM, (tx) =>
        senderOf({ secrets, platformSender: mailing.platform }, tx, userId),
      ),
    log,
  })
  const refusals = new Refusals(gate, log)
  stops.push(() => refusals.write(true))
  const auditChains = new AuditChains({ gate, secrets, log })
  const rateLimits = createRateLimits(parts, gate, metrics)
  let listeningPort = configuration.port
  const addressOfTenant = (subdomain: string): string =>
    tenantAddress(configuration, listeningPort, subdomain)
  const provisioning = new Provisioning({
    gate,
    mails: mails.platform,
    addressOf: addressOfTenant,
    databases,
    servers,
    secrets,
    log,
    atStep: parts.options.atStep,
    compensationAttempts: parts.options.compensationAttempts,
  })
  const storages = new Storages(configuration.backupUrl, configuration.backupAccess)
  stops.push(() => storages.close())
  const backups = createBackups(parts, { gate, servers, storages }, metrics)
  const fleet = createFleet(parts, { gate, servers, databases, backups })
  const passwords = new DatabasePasswords({ gate, servers, secrets, log })
  const moving = new Moving({
    gate,
    databases,
    servers,
    secrets,
    holdMaximumMs: configuration.holdMaximumMs,
    keepDays: configuration.movedDatabaseDays,
    log,
    atStep: parts.options.atStep,
    compensationAttempts: parts.options.compensationAttempts,
  })
  const health = new ServerHealthChecks({ gate, servers, log })
  health.measure(metrics)
  const workflows = new Workflows({
    database: workflowDatabaseOf(platformAddress),
    log,
    takesOver: parts.options.onlyAsked !== true,
  })

  const users = new UserSessions(tokens, configuration, tenantPermissions)
  const operatorSessions = new OperatorSessions(tokens, configuration)
  const support = new SupportSessions({
    gate,
    directory,
    tokens,
    mails: mails.tenant,
    declared: tenantPermissions,
    addressOf: addressOfTenant,
    log,
    atStep: parts.options.atStep,
  })
  const approvals = new Approvals({
    gate,
    isRequired: configuration.needsDualApproval,
    routes: () => routes,
    log,
    atStep: parts.options.atStep,
  })
  await startAnnouncements(parts, { directory, servers, users, operators: operatorSessions, support, gate })
  const operators = operatorPorts({ gate, sessions: operatorSessions, support, secrets, mails }, () =>
    publicAddress(configuration, listeningPort),
  )
  const addressOf = async (tenantId: string): Promise<string> =>
    addressOfTenant(await directory.subdomainOfTenant(tenantId))
  const accounts = userAccounts({ secrets, mails: mails.tenant, sessions: users, addressOf })
  const identity: IdentityPorts = {
    sessions: users,
    passwords: new Passwords(accounts),
    secondFactors: new SecondFactors(accounts),
    mails: mails.tenant,
    sending: { platformSender: mailing.platform, rules: mailing.rules, domain: mailing.domain },
    support: {
      end: (sessionId, reason, { tenant, actor }) => support.end(sessionId, tenant.tenantId, reason, actor),
      tellConsent: () => support.tellConsent(),
      redeem: (code, context) => support.redeem(code, context),
    },
    declared: tenantPermissions,
    secrets,
    identityProviders: new IdentityProviders({
      allowsPrivateHosts: configuration.allowsPrivateIdentityProviders,
      allowsPlainLoopback: !isProduction,
      timeoutMs: configuration.identityProviderTimeoutMs,
    }),
    addressOf,
    addressesOf: async (tenantId) => [await addressOf(tenantId), publicAddress(configuration, listeningPort)],
    announceSessionEnd: (tenantId: string, sessionId?: string) =>
      gate.writePlatform(SYSTEM, (tx) =>
        announce(tx, { kind: 'user-session', tenantId, sessionId: sessionId ?? null }),
      ),
  }
  const housekeeping = new Housekeeping({
    gate,
    directory,
    purgeAfterDays: configuration.purgeAfterDays,
    purgeTenant: async (tx, before) =>
      (await purgeAnswers(tx, 'core', before, PURGE_BATCH)) +
      (await users.table.purge(tx, before, PURGE_BATCH)) +
      (await identity.passwords.purgeLinks(tx, before, PURGE_BATCH)) +
      (await purgeAttempts(tx, before, PURGE_BATCH)) +
      (await mails.tenant.purge(tx, before, PURGE_BATCH)),
    purgePlatform: async (tx, before) =>
      (await purgeAnswers(tx, 'platform', before, PURGE_BATCH)) +
      (await operatorSessions.table.purge(tx, before, PURGE_BATCH)) +
      (await operators.passwords.purgeLinks(tx, before, PURGE_BATCH)) +
      (await mails.platform.purge(tx, before, PURGE_BATCH)) +
      (await purgeRateCounts(tx, PURGE_BATCH)),
    log,
  })
  const endSessions = (tenantId: string, reason: string): Promise<void> =>
    endTenantSessions({ gate, directory, users, support }, tenantId, reason)
  const recovery = assembleRecovery({
    configuration,
    gate,
    servers,
    secrets,
    backups,
    storages,
    locate: async (tenantId) => (await directory.byId(tenantId))?.location,
    endSessions,
    metrics,
    productVersion: VERSION,
    log,
    atStep: parts.options.atStep,
  })
  const routes = allRoutes({
    operators,
    tenants: {
      provisioning,
      backups,
      passwords,
      secrets,
      addressOf: addressOfTenant,
      endSessions,
    },
    fleet,
    servers: { servers, databases, health, secrets, isProduction },
    moving,
    workflows,
    backups,
    identity,
    mails: {
      outbox: mails.platform,
      showsContent: ({ tenantId }) =>
        !isProduction && (tenantId !== null || !configuration.needsDualApproval),
      resendOfTenant: async (tenantId, mailId, actor) => {
        const tenant = await directory.byId(tenantId)
        return tenant
          ? gate.writeTenant(tenant.location, null, actor, (tx) =>
              mails.tenant.requeue(tx, mailId, 'dead', new Date()),
            )
          : false
      },
    },
    restores: recovery.restores,
    exports: recovery.exports,
    closing: recovery.closing,
    support,
    approvals,
  })

  await databases.ensureTemplates()
  await workflows.start()
  stops.push(() => workflows.stop())
  await fleet.migrations.begin()
  stops.push(async () => fleet.migrations.stop())
  if (configuration.migratesAtStart) await fleet.migrations.migrateAtStart()
  void Promise.all([fleet.reports.tidy(), fleet.rehearsals.tidy()]).catch((error: unknown) =>
    log('warn', `What was left of schema reports and rehearsals could not be looked for: ${String(error)}`),
  )
  const tend = async (): Promise<void> => {
    await Promise.all([
      databases.refill(),
      provisioning.tendForgotten(),
      housekeeping.tend(),
      backups.tend(),
      moving.tend(),
      recovery.lookAfter(),
      support.tend(),
      approvals.tend(),
    ]).catch((error: unknown) => log('error', `Looking after the tenants failed: ${String(error)}`))
  }
  if (parts.options.onlyAsked !== true) {
    await provisioning.tendForgotten()
    void backups
      .clearUnfinished()
      .catch((error: unknown) => log('warn', `The storage of backups is away: ${String(error)}`))
    const underWay = new Set<Promise<void>>()
    const begin = (): void => {
      const one = tend().finally(() => underWay.delete(one))
      underWay.add(one)
    }
    begin()
    const timer = setInterval(begin, parts.options.tendEveryMs ?? TEND_EVERY_MS)
    timer.unref()
    stops.push(async () => {
      clearInterval(timer)
      // It may be about to begin a workflow, which must not meet a process that has stopped carrying them out.
      await Promise.race([Promise.all(underWay), sleep(TEND_STOP_MS, undefined, { ref: false })])
    })
  }
  visits.start([relay, auditChains], () => relay.carryPlatform())
  relay.start()
  auditChains.start()
  stops.push(async () => {
    await visits.stop()
    await relay.stop()
    await auditChains.stop()
    housekeeping.stop()
  })
  support.witness.start()
  stops.push(() => support.witness.stop())
  health.start()
  stops.push(() => health.stop())

  const noted = async (found: ReturnType<typeof directory.byId>): Promise<Awaited<typeof found>> => {
    const tenant = await found
    if (tenant) housekeeping.visited(tenant.location.tenantId)
    return tenant
  }
  const ports: HttpPorts = {
    gate,
    metrics,
    rateLimits,
    noteRefusal: (refusal) => refusals.note(refusal),
    approvals: approvals.isRequired ? approvals : undefined,
    findTenant: (reference) => noted(directory.find(reference)),
    isTenantHost: (host) => directory.subdomainOf(host) !== undefined,
    tenantOfToken: async (token) => {
      if (isApiKey(token)) return undefined // only the tenant's own database knows it
      return noted(
        directory.byId((await tokens.verify(['tenant', 'integration', 'support'], token)).tenantId),
      )
    },
    authenticateUser: (token, tenant, caller) =>
      users.authenticate(token, { gate, tenant, caller, actor: SYSTEM, bySupport: support.authenticate }),
    authenticateOperator: (token) => operatorSessions.authenticate(gate, token, SYSTEM),
    notReady: () => notReady(gate),
  }
  const listen = async (): Promise<number> => {
    const app = await createHttpServer(routes, ports, {
      corsOrigins: configuration.corsOrigins,
      isProduction,
      logLevel: configuration.logLevel,
      version: VERSION,
      trustedProxies: configuration.trustedProxies,
    })
    await mountTokenEndpoints(app, {
      gate,
      ports,
      identity,
      operators,
      clientTokenSeconds: configuration.clientTokenSeconds,
    })
    await mountPortal(app, configuration.baseDomain)
    await app.listen({ host: configuration.host, port: configuration.port })
    stops.push(() => closeServer(app))
    const address = app.server.address()
    listeningPort = typeof address === 'object' && address ? address.port : configuration.port
    return listeningPort
  }
  return {
    configuration,
    gate,
    secrets,
    secretRotation: new SecretRotation({
      gate,
      secrets,
      server,
      servers,
      locate: async (tenantId) => (await directory.byId(tenantId))?.location,
    }),
    server,
    servers,
    directory,
    databases,
    provisioning,
    housekeeping,
    backups,
    moving,
    workflows,
    tokens,
    operators,
    routes,
    recovery,
    fleet,
    mails,
    auditChains,
    refusals,
    support,
    approvals: ports.approvals ? approvals : undefined,
    ensureFirstOperator: () =>
      ensureFirstOperator(gate, SYSTEM, configuration.operatorEmail, configuration.operatorPassword),
    listen,
    stop: parts.stop,
  }
}

function operatorPorts(
  {
    gate,
    sessions,
    support,
    secrets,
    mails,
  }: Pick<Product, 'gate' | 'secrets' | 'mails'> & {
    readonly sessions: OperatorSessions
    readonly support: SupportSessions
  },
  address: () => string,
): OperatorPorts {
  const accounts = operatorAccounts({ secrets, mails: mails.platform, sessions, address })
  return {
    sessions,
    passwords: new Passwords(accounts),
    secondFactors: new SecondFactors(accounts),
    mails: mails.platform,
    announceSessionEnd: (sessionId) => {
      support.forgetAll() // theirs ends with the sign-in it was begun in
      return gate.writePlatform(SYSTEM, (tx) =>
        announce(tx, { kind: 'operator-session', sessionId: sessionId ?? null }),
      )
    },
  }
}

function createBackups(
  { configuration, secrets, log, options }: Parts,
  { gate, servers, storages }: Pick<Product, 'gate' | 'servers'> & { storages: Storages },
  metrics: Metrics,
): Backups {
  for (const { name, help, query } of backupFigures) {
    metrics.gauge(name, help, async () => {
      const row = await gate.readPlatform(SYSTEM, (tx) => tx.row(query.compile(platformSql)))
      return row?.figure ?? 0
    })
  }
  return new Backups({
    gate,
    servers,
    secrets,
    storages,
    schedule: configuration.backupSchedule,
    atOnce: configuration.backupsAtOnce,
    engine: configuration.backupEngine,
    pgProgramsFolder: configuration.pgProgramsFolder,
    provenWithinDays: configuration.backupsProvenWithinDays,
    log,
    atStep: options.atStep,
  })
}

function createRateLimits({ configuration, log, stops }: Parts, gate: Gate, metrics: Metrics): RateLimits {
  const counters = new Counters(configuration.redisUrl, log)
  stops.push(() => counters.stop())
  if (configuration.redisUrl !== undefined) {
    metrics.gauge('erp_redis_up', 'Whether rate limits are counted by all processes together', async () =>
      counters.isShared ? 1 : 0,
    )
  }
  return new RateLimits({
    isEnabled: configuration.limitsRates,
    anonymousPerMinute: configuration.anonymousRequestsPerMinute,
    counters,
    gate,
  })
}

function mailSettings({ configuration, options, log }: Parts): MailSettings {
  const { smtpUrl, mailFrom, baseDomain, environment } = configuration
  const isProduction = environment === 'production'
  if (smtpUrl === undefined && isProduction) log('warn', 'SMTP_URL is not set: no mail can be sent')
  const [, name = '', address = mailFrom] = /^(.*?)\s*<(.+)>$/.exec(mailFrom) ?? []
  return {
    platform: smtpUrl === undefined ? undefined : { server: serverOfUrl(smtpUrl), from: { name, address } },
    keepsUnsent: !isProduction,
    domain: baseDomain,
    rules: {
      allowPrivateHosts: configuration.allowsPrivateMailHosts,
      ...(options.mailCertificateAuthority === undefined
        ? {}
        : { certificateAuthority: options.mailCertificateAuthority }),
    },
    attemptsMaximum: configuration.mailAttemptsMaximum,
    firstPauseMs: configuration.mailFirstPauseMs,
  }
}

function createFleet(
  { configuration, log, options }: Parts,
  { gate, servers, databases, backups }: Pick<Product, 'gate' | 'servers' | 'databases' | 'backups'>,
): FleetServices {
  const limits = {
    lockTimeoutMs: configuration.fleetLockTimeoutMs,
    statementTimeoutMs: configuration.fleetStatementTimeoutMs,
  }
  const migrations = new FleetMigrations({
    gate,
    addressOf: async (serverId, database) => (await servers.locate(serverId)).migratorAddress(database),
    limits,
    settings: {
      parallel: configuration.fleetParallel,
      failurePercent: configuration.fleetFailurePercent,
    },
    beforeWave: async ({ tenantIds }) => {
      if (configuration.backupsBeforeMigration) await backups.takeAll(tenantIds, 'migration')
    },
    afterMigration: async () => {
      await databases.ensureTemplates()
      void databases.refill()
    },
    log,
    ...(options.atTenant ? { atTenant: options.atTenant } : {}),
  })
  const rehearsals = new Rehearsals({
    gate,
    servers,
    limits,
    checkTenant: async (location) => {
      const companies = await checkTenant(gate, location, SYSTEM)
      return companies.flatMap(({ code, findings }) =>
        findings.map(({ check, detail }) => `${code}: ${check}: ${detail}`),
      )
    },
    log,
    atStep: options.atStep,
  })
  const reports = new SchemaReports({ servers, databases, parallel: configuration.fleetParallel })
  return { migrations, reports, rehearsals }
}

/** Requests under way are answered first; their connections, kept alive, must not keep us alive too. */
async function closeServer(app: FastifyInstance): Promise<void> {
  const dropping = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS)
  await app.close()
  clearInterval(dropping)
}

function createGate(
  { configuration, platformAddress, stops }: Parts,
  metrics: Metrics,
  visits: TenantVisits,
): Gate {
  const { connectionsMaximum, connectionsPerTenantMaximum, connectionWaitMs } = configuration
  const tenantPools = new ConnectionPools({
    connectionsMaximum,
    connectionsPerDatabaseMaximum: connectionsPerTenantMaximum,
    waitMs: connectionWaitMs,
  })
  const platformPools = new ConnectionPools({
    connectionsMaximum: 10,
    connectionsPerDatabaseMaximum: 10,
    waitMs: connectionWaitMs,
  })
  stops.push(async () => {
    await tenantPools.closeAll()
    await platformPools.closeAll()
  })
  for (const [name, pools] of [
    ['tenant', tenantPools],
    ['platform', platformPools],
  ] as const) {
    metrics.gauge(`erp_${name}_connections`, 'Open connections', () => pools.figures().connections)
    metrics.gauge(`erp_${name}_connections_idle`, 'Idle connections', () => pools.figures().idle)
    metrics.gauge(
      `erp_${name}_connections_waiting`,
      'Requests waiting for a connection',
      () => pools.figures().waiting,
    )
  }
  metrics.gauge(
    'erp_tenant_databases_open',
    'Tenant databases with open connections',
    () => tenantPools.figures().databases,
  )
  const gate = new Gate({
    tenantPools,
    platformPools,
    platformAddress,
    usePreparedStatements: configuration.poolerUrl === undefined,
    visits,
    holdWaitMs: configuration.holdWaitMs,
  })
  metrics.gauge('erp_tenants_active', 'Active tenants', () =>
    gate.readPlatform(SYSTEM, async (tx) => {
      const query = sql<{
        count: number
      }>`SELECT count(*) AS count FROM platform.tenant WHERE status = 'active'`
      return (await tx.row(query.compile(platformSql)))?.count ?? 0
    }),
  )
  metrics.gauge('erp_tenants_behind', 'Tenants whose schema is older than this code', () =>
    gate.readPlatform(SYSTEM, async (tx) => countBehind(tx)),
  )
  return gate
}

interface Listeners {
  readonly directory: TenantDirectory
  readonly servers: DatabaseServers
  readonly users: UserSessions
  readonly operators: OperatorSessions
  readonly support: SupportSessions
  readonly gate: Gate
}

async function startAnnouncements(
  { platformAddress, server, secrets, log, stops }: Parts,
  listeners: Listeners,
): Promise<void> {
  const { directory, servers, users, operators, support, gate } = listeners
  const hear = (announcement: Announcement): void => {
    switch (announcement.kind) {
      case 'tenant':
        directory.forget(announcement.tenantId)
        users.forgetTenant(announcement.tenantId)
        support.forgetAll()
        if (announcement.reconnect) void gate.renewTenant(announcement.tenantId)
        break
      case 'server':
        servers.forget(announcement.serverId)
        break
      case 'user-session':
        if (announcement.sessionId === null) users.forgetTenant(announcement.tenantId)
        else users.forgetSession(announcement.tenantId, announcement.sessionId)
        break
      case 'operator-session':
        if (announcement.sessionId === null) operators.forgetAll()
        else operators.forget(announcement.sessionId)
        support.forgetAll() // theirs ends with the sign-in it was begun in
        break
      case 'support':
        support.forgetAll()
        break
      case 'secret-key':
        followKey()
    }
  }
  // Another process changed the platform over to a newer key, which all of us know by then.
  const followKey = (): void =>
    void server.recogniseKey().then(
      () => secrets.use(server.keyId),
      (error: unknown) => log('error', `The secret key in use could not be found out: ${String(error)}`),
    )
  const forgetAll = (): void => {
    followKey()
    directory.forget()
    servers.forget()
    users.forgetAll()
    operators.forgetAll()
    support.forgetAll()
  }
  const announcements = new Announcements(platformAddress, hear, forgetAll, secrets.keyIds)
  await announcements.start()
  stops.push(() => announcements.stop())
}

async function endTenantSessions(
  { gate, directory, users, support }: Pick<Listeners, 'gate' | 'directory' | 'users' | 'support'>,
  tenantId: string,
  reason: string,
): Promise<void> {
  // Our own notice would come too late for a request right behind our answer.
  directory.forget(tenantId)
  users.forgetTenant(tenantId)
  await support.endAllIn(tenantId, reason)
  const tenant = await directory.byId(tenantId)
  if (!tenant) return
  await gate.writeTenant(tenant.location, null, SYSTEM, (tx) =>
    tx.run(
      sql`UPDATE core.session SET ended_at = now(), end_reason = ${reason} WHERE ended_at IS NULL`.compile(
        tenantSql,
      ),
    ),
  )
  await gate.writePlatform(SYSTEM, (tx) => announce(tx, { kind: 'user-session', tenantId, sessionId: null }))
}

async function notReady(gate: Gate): Promise<string[]> {
  try {
    await gate.readPlatform(SYSTEM, (tx) => tx.rows(sql`SELECT 1`.compile(platformSql)))
    return []
  } catch {
    return ['platform database']
  }
}

/** The portal's files, and its page for every address that is none of the API's. */
async function mountPortal(app: FastifyInstance, baseDomain: string): Promise<void> {
  const page = join(PORTAL_FOLDER, 'index.html')
  if (!existsSync(page)) return
  // The page recognises tenants' addresses by the domain it is served under.
  const html = readFileSync(page, 'utf8').replace(
    /(<meta name="base-domain" content=")[^"]*/,
    `$1${baseDomain}`,
  )
  await app.register(async (files) => {
    // A page is made of many; what is none of them is counted where it turns out to be nowhere.
    files.addHook('onRoute', (route) => {
      route.config = { ...route.config, isUncounted: true }
    })
    await files.register(fastifyStatic, {
      root: PORTAL_FOLDER,
      wildcard: false,
      index: false,
      globIgnore: ['**/index.html'],
      cacheControl: false,
      setHeaders: (reply, path) => {
        const isNamedByContent = path.includes('/assets/')
        void reply.header(
          'cache-control',
          isNamedByContent ? 'public, max-age=31536000, immutable' : 'no-cache',
        )
      },
    })
    files.get('/*', { schema: { hide: true } }, (request, reply) => {
      const isOfApi = request.url.startsWith('/api/') || /\.\w+$/.test(request.url.split('?')[0] ?? '')
      if (isOfApi) return reply.callNotFound()
      return reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(html)
    })
  })
}
