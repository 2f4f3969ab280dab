/**
 * Configuration by environment (SPEC 16), read once at start. Every problem is found before any is
 * reported, so that an operator mends them in one go. Production is refused when unsafe.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BackupSchedule } from '../platform/backups/rules/schedule.ts'
import type { StorageAccess } from '../platform/storage/storage.ts'

export const environments = ['development', 'test', 'production'] as const
export const sslModes = ['disable', 'require', 'verify-full'] as const
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const backupEngines = ['copy', 'pg_dump'] as const
export const jwtAlgorithms = ['HS256', 'HS384', 'HS512'] as const

export interface Configuration {
  readonly environment: (typeof environments)[number]
  /** undefined: run the embedded PostgreSQL in `dataDirectory`. */
  readonly databaseUrl: string | undefined
  readonly adminDatabaseUrl: string | undefined
  readonly databaseSslMode: (typeof sslModes)[number]
  /** Certificates (PEM) that a server's must come from under `verify-full`; undefined: the well-known ones. */
  readonly databaseCertificateAuthority: string | undefined
  /** PgBouncer in transaction mode, through which tenants' requests reach the server of the configuration. */
  readonly poolerUrl: string | undefined
  readonly secretKey: string
  /** Earlier ones: what they sealed still opens, until `erp secrets rotate` has sealed it anew. */
  readonly previousSecretKeys: readonly string[]
  readonly dataDirectory: string
  readonly host: string
  readonly port: number
  /** Domain under which tenants have their subdomains. */
  readonly baseDomain: string
  /** Address printed in links; default: http://<baseDomain>:<port>. */
  readonly publicUrl: string | undefined
  readonly jwtAlgorithm: (typeof jwtAlgorithms)[number]
  readonly accessTokenSeconds: number
  /** Of tokens that API keys are exchanged for. */
  readonly clientTokenSeconds: number
  readonly refreshTokenSeconds: number
  readonly rememberedRefreshTokenSeconds: number
  readonly sessionsPerUserMaximum: number
  /** A password older than this must be changed; 0: passwords do not grow old. */
  readonly passwordAgeDaysMaximum: number
  readonly logLevel: (typeof logLevels)[number]
  readonly corsOrigins: readonly string[]
  readonly operatorEmail: string
  /** Destructive requests of an operator wait until a second one approves. */
  readonly needsDualApproval: boolean
  readonly operatorPassword: string | undefined
  /** Operators do nothing before they have set up two-step sign-in. */
  readonly operatorsNeedSecondFactor: boolean
  readonly readyDatabasesTarget: number
  readonly connectionsMaximum: number
  /** After so many days ended sessions and answers kept for Idempotency-Keys are forgotten. */
  readonly purgeAfterDays: number
  readonly connectionsPerTenantMaximum: number
  readonly connectionWaitMs: number
  /** Where archives are kept: a folder or an S3 bucket. */
  readonly backupUrl: string
  /** What the bucket asks for; stands in no address. */
  readonly backupAccess: StorageAccess
  /** undefined: no backup is taken by itself. */
  readonly backupSchedule: BackupSchedule | undefined
  readonly backupsAtOnce: number
  readonly backupEngine: (typeof backupEngines)[number]
  /** Where pg_dump and pg_restore are; undefined: looked for. */
  readonly pgProgramsFolder: string | undefined
  /** Each wave of a fleet migration begins with a backup of its tenants. */
  readonly backupsBeforeMigration: boolean
  /** A tenant without a restore that was compared for longer than this has an alert. */
  readonly backupsProvenWithinDays: number
  /** How long a request waits while its tenant's writes are held or its database changes its place. */
  readonly holdWaitMs: number
  /** The longest that a tenant's writes are held; work that needs longer is given up. */
  readonly holdMaximumMs: number
  /** How long the old database of a moved tenant is kept. */
  readonly movedDatabaseDays: number
  /** Whether a start brings tenants that are behind up to date by itself. */
  readonly migratesAtStart: boolean
  /** Tenants migrated at once, over all servers. */
  readonly fleetParallel: number
  /** A fleet migration stops by itself when more of one wave have failed. */
  readonly fleetFailurePercent: number
  readonly fleetLockTimeoutMs: number
  readonly fleetStatementTimeoutMs: number
  /** undefined: outside production mails are kept for the operator to read; in production they wait, then fail. */
  readonly smtpUrl: string | undefined
  /** `Name <address>` or an address. */
  readonly mailFrom: string
  /** Whether users' own mail servers may be on this machine or in a private network. */
  readonly allowsPrivateMailHosts: boolean
  /** Whether a tenant's identity provider may be on this machine or in a private network. */
  readonly allowsPrivateIdentityProviders: boolean
  readonly identityProviderTimeoutMs: number
  readonly mailFirstPauseMs: number
  readonly mailAttemptsMaximum: number
  /** Side databases, and databases that a restore replaced. */
  readonly restoreKeptDays: number
  /** Each tenant's backup is restored and proven once in so many days. */
  readonly drillEveryDays: number
  readonly exportKeptDays: number
  /** How long an archived tenant must be kept before it may be deleted. */
  readonly archiveRetentionDays: number
  /** A trial that was suspended so long ago is archived. */
  readonly trialArchiveAfterDays: number
  /** undefined: each process counts rate limits by itself (those of passwords: all together, in any case). */
  readonly redisUrl: string | undefined
  readonly limitsRates: boolean
  readonly anonymousRequestsPerMinute: number
  readonly trustedProxies: readonly string[]
}

export class ConfigurationError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    )
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

type Environment = Readonly<Record<string, string | undefined>>

const SECRET_KEY_LENGTH_MINIMUM = 32
const PREVIOUS_SECRET_KEYS_MAXIMUM = 8
const DAY_SECONDS = 86_400

export function readConfiguration(environment: Environment): Configuration {
  const reader = new Reader(environment)
  const mode = reader.choice('ENVIRONMENT', environments, 'development')
  const dataDirectory = resolve(reader.text('DATA_DIR') ?? '.data')
  const publicUrl = reader.url('PUBLIC_URL', ['http:', 'https:'])
  const baseDomain = reader.text('BASE_DOMAIN') ?? domainOf(publicUrl) ?? 'localhost'
  checkUnusedUntilLater(reader)
  const configuration: Configuration = {
    environment: mode,
    databaseUrl: reader.url('DATABASE_URL', ['postgres:', 'postgresql:']),
    adminDatabaseUrl: reader.url('ADMIN_DATABASE_URL', ['postgres:', 'postgresql:']),
    databaseSslMode: reader.choice('DB_SSL_MODE', sslModes, 'disable'),
    databaseCertificateAuthority: reader.certificates('DB_SSL_CA_FILE'),
    poolerUrl: reader.url('DB_POOLER_URL', ['postgres:', 'postgresql:']),
    secretKey: reader.text('SECRET_KEY') ?? '',
    previousSecretKeys: (reader.text('SECRET_KEY_PREVIOUS') ?? '')
      .split(/[\s,]+/)
      .filter((key) => key !== ''),
    dataDirectory,
    host: reader.text('HOST') ?? '0.0.0.0',
    port: reader.integer('PORT', 3000, 0, 65_535),
    baseDomain,
    publicUrl,
    jwtAlgorithm: reader.choice('JWT_ALGORITHM', jwtAlgorithms, 'HS256'),
    accessTokenSeconds: reader.integer('ACCESS_TOKEN_SECONDS', DAY_SECONDS, 60, 7 * DAY_SECONDS),
    clientTokenSeconds: reader.integer('CLIENT_TOKEN_SECONDS', 3_600, 60, DAY_SECONDS),
    refreshTokenSeconds: reader.integer('REFRESH_TOKEN_SECONDS', 7 * DAY_SECONDS, 60, 90 * DAY_SECONDS),
    rememberedRefreshTokenSeconds: reader.integer(
      'REMEMBERED_REFRESH_TOKEN_SECONDS',
      30 * DAY_SECONDS,
      60,
      365 * DAY_SECONDS,
    ),
    sessionsPerUserMaximum: reader.integer('SESSIONS_PER_USER_MAXIMUM', 3, 1, 100),
    passwordAgeDaysMaximum: reader.integer('PASSWORD_AGE_DAYS_MAXIMUM', 90, 0, 3_650),
    logLevel: reader.choice('LOG_LEVEL', logLevels, mode === 'test' ? 'silent' : 'info'),
    corsOrigins: reader.origins('CORS_ORIGINS'),
    needsDualApproval: reader.choice('DUAL_APPROVAL', ['true', 'false'], 'false') === 'true',
    operatorEmail: reader.text('OPERATOR_EMAIL') ?? 'operator@example.com',
    operatorPassword: reader.text('OPERATOR_PASSWORD'),
    operatorsNeedSecondFactor:
      reader.choice(
        'OPERATOR_SECOND_FACTOR_REQUIRED',
        ['true', 'false'],
        mode === 'production' ? 'true' : 'false',
      ) === 'true',
    readyDatabasesTarget: reader.integer('READY_DATABASES', 3, 0, 100),
    purgeAfterDays: reader.integer('PURGE_AFTER_DAYS', 30, 1, 3_650),
    connectionsMaximum: reader.integer('CONNECTIONS_MAXIMUM', 60, 4, 10_000),
    connectionsPerTenantMaximum: reader.integer('CONNECTIONS_PER_TENANT_MAXIMUM', 8, 1, 1_000),
    connectionWaitMs: reader.integer('CONNECTION_WAIT_MS', 2_000, 100, 60_000),
    backupUrl:
      reader.url('BACKUP_URL', ['file:', 's3:']) ?? pathToFileURL(join(dataDirectory, 'backups')).href,
    backupAccess: {
      accessKeyId: reader.text('AWS_ACCESS_KEY_ID'),
      secretAccessKey: reader.text('AWS_SECRET_ACCESS_KEY'),
      sessionToken: reader.text('AWS_SESSION_TOKEN'),
      caCertificates: reader.certificates('BACKUP_CA_FILE'),
    },
    backupSchedule: backupSchedule(reader, mode),
    backupsBeforeMigration:
      reader.choice('BACKUP_BEFORE_MIGRATION', ['true', 'false'], mode === 'test' ? 'false' : 'true') ===
      'true',
    backupEngine: reader.choice('BACKUP_ENGINE', backupEngines, 'copy'),
    pgProgramsFolder: reader.text('PG_PROGRAMS_DIR'),
    backupsAtOnce: reader.integer('BACKUPS_AT_ONCE', 2, 1, 16),
    backupsProvenWithinDays: reader.integer('BACKUPS_PROVEN_WITHIN_DAYS', 30, 1, 3_660),
    holdWaitMs: reader.integer('HOLD_WAIT_MS', 10_000, 100, 60_000),
    holdMaximumMs: 1_000 * reader.integer('HOLD_MAXIMUM_SECONDS', 60, 5, 3_600),
    movedDatabaseDays: reader.integer('MOVED_DATABASE_DAYS', 7, 0, 365),
    migratesAtStart:
      reader.choice('MIGRATE_AT_START', ['true', 'false'], mode === 'production' ? 'false' : 'true') ===
      'true',
    fleetParallel: reader.integer('FLEET_PARALLEL', 4, 1, 100),
    fleetFailurePercent: reader.integer('FLEET_FAILURE_PERCENT', 10, 0, 100),
    fleetLockTimeoutMs: reader.integer('FLEET_LOCK_TIMEOUT_MS', 5_000, 100, 600_000),
    fleetStatementTimeoutMs: reader.integer('FLEET_STATEMENT_TIMEOUT_MS', 300_000, 100, 86_400_000),
    smtpUrl: reader.url('SMTP_URL', ['smtp:', 'smtps:']),
    mailFrom: reader.mailbox('MAIL_FROM', `Solution ERP <no-reply@${baseDomain}>`),
    allowsPrivateMailHosts:
      reader.choice('MAIL_PRIVATE_HOSTS', ['true', 'false'], mode === 'production' ? 'false' : 'true') ===
      'true',
    allowsPrivateIdentityProviders:
      reader.choice(
        'IDENTITY_PROVIDER_PRIVATE_HOSTS',
        ['true', 'false'],
        mode === 'production' ? 'false' : 'true',
      ) === 'true',
    identityProviderTimeoutMs: reader.integer('IDENTITY_PROVIDER_TIMEOUT_MS', 8_000, 100, 30_000),
    mailFirstPauseMs: reader.integer('MAIL_FIRST_PAUSE_MS', 30_000, 10, 3_600_000),
    mailAttemptsMaximum: reader.integer('MAIL_ATTEMPTS_MAXIMUM', 12, 1, 100),
    restoreKeptDays: reader.integer('RESTORE_KEPT_DAYS', 7, 1, 365),
    drillEveryDays: reader.integer('DRILL_EVERY_DAYS', 30, 1, 365),
    exportKeptDays: reader.integer('EXPORT_KEPT_DAYS', 7, 1, 365),
    archiveRetentionDays: reader.integer('ARCHIVE_RETENTION_DAYS', 90, 0, 3_650),
    trialArchiveAfterDays: reader.integer('TRIAL_ARCHIVE_AFTER_DAYS', 30, 1, 3_650),
    redisUrl: reader.url('REDIS_URL', ['redis:', 'rediss:']),
    limitsRates: reader.choice('RATE_LIMIT_ENABLED', ['true', 'false'], 'true') === 'true',
    anonymousRequestsPerMinute: reader.integer('RATE_LIMIT_PER_MINUTE', 60, 1, 1_000_000),
    trustedProxies: reader.networks('TRUSTED_PROXIES', ['loopback']),
  }
  checkSecretKey(configuration, reader)
  checkDatabaseAddresses(configuration, reader)
  checkBackups(configuration, reader)
  if (mode === 'production') checkProduction(configuration, reader)
  if (reader.problems.length > 0) throw new ConfigurationError(reader.problems)
  if (configuration.secretKey) return configuration
  return { ...configuration, secretKey: developmentSecretKey(dataDirectory) }
}

/** Settings of SPEC 16 whose users come in later issues are checked from the first day, so that a wrong one is not found late. */
function checkUnusedUntilLater(reader: Reader): void {
  reader.url('SENTRY_DSN', ['https:', 'http:'])
}

function checkDatabaseAddresses(configuration: Configuration, reader: Reader): void {
  const { databaseCertificateAuthority, databaseSslMode, databaseUrl, poolerUrl } = configuration
  // With `require` nobody looks at the certificate; whoever names its authority believes that somebody does.
  if (databaseCertificateAuthority !== undefined && databaseSslMode !== 'verify-full') {
    reader.problems.push('DB_SSL_CA_FILE: is of use with DB_SSL_MODE=verify-full only')
  }
  if (poolerUrl === undefined) return
  const { username, password } = new URL(poolerUrl)
  if (databaseUrl === undefined) reader.problems.push('DB_POOLER_URL: needs DATABASE_URL')
  if (username === '' || password === '') {
    reader.problems.push('DB_POOLER_URL: needs the name and password of the role that looks passwords up')
  }
}

/** `02:00` and the time over which the fleet is spread behind it; `off`. */
function backupSchedule(reader: Reader, mode: Configuration['environment']): BackupSchedule | undefined {
  const time = reader.text('BACKUP_TIME') ?? (mode === 'test' ? 'off' : '02:00')
  const spreadMinutes = reader.integer('BACKUP_SPREAD_MINUTES', 180, 0, 1_440)
  if (time === 'off') return undefined
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(time) ?? []
  if (hours === undefined)
    reader.problems.push(`BACKUP_TIME: "${time}" is no time such as 02:00 (UTC), nor "off"`)
  return { minuteOfDay: Number(hours) * 60 + Number(minutes), spreadMinutes }
}

function checkBackups({ backupUrl, backupAccess, environment }: Configuration, reader: Reader): void {
  const url = new URL(backupUrl)
  if (url.protocol !== 's3:') return
  if (url.username !== '' || url.password !== '') {
    reader.problems.push('BACKUP_URL: carries no credentials; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do')
  }
  if (url.hostname === '') reader.problems.push('BACKUP_URL: names no bucket (s3://bucket/prefix)')
  if (!backupAccess.accessKeyId || !backupAccess.secretAccessKey) {
    reader.problems.push('BACKUP_URL: a bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  }
  const endpoint = url.searchParams.get('endpoint')
  if (endpoint === null) return
  const protocol = URL.canParse(endpoint) ? new URL(endpoint).protocol : ''
  if (protocol !== 'https:' && protocol !== 'http:')
    reader.problems.push('BACKUP_URL: its endpoint is no address')
  if (protocol === 'http:' && environment === 'production') {
    reader.problems.push('BACKUP_URL: production needs an endpoint with https')
  }
}

function checkSecretKey(configuration: Configuration, reader: Reader): void {
  const { secretKey, previousSecretKeys } = configuration
  if (previousSecretKeys.length > PREVIOUS_SECRET_KEYS_MAXIMUM) {
    reader.problems.push(`SECRET_KEY_PREVIOUS: has more than ${PREVIOUS_SECRET_KEYS_MAXIMUM} keys`)
  }
  if (previousSecretKeys.some((key) => key.length < SECRET_KEY_LENGTH_MINIMUM)) {
    reader.problems.push(`SECRET_KEY_PREVIOUS: each key has ${SECRET_KEY_LENGTH_MINIMUM} characters or more`)
  }
  if (previousSecretKeys.length > 0 && !secretKey) {
    reader.problems.push('SECRET_KEY_PREVIOUS: needs SECRET_KEY, the new one, beside it')
  }
  if (secretKey && secretKey.length < SECRET_KEY_LENGTH_MINIMUM) {
    reader.problems.push(
      `SECRET_KEY: has ${secretKey.length} characters, needs ${SECRET_KEY_LENGTH_MINIMUM} or more`,
    )
  }
}

function checkProduction(configuration: Configuration, reader: Reader): void {
  const refuse = (problem: string): number => reader.problems.push(problem)
  if (!configuration.databaseUrl) refuse('DATABASE_URL: production needs a PostgreSQL server of its own')
  if (!configuration.secretKey) refuse('SECRET_KEY: production needs one of 32 characters or more')
  if (
    new Set(configuration.secretKey).size < 8 &&
    configuration.secretKey.length >= SECRET_KEY_LENGTH_MINIMUM
  ) {
    refuse('SECRET_KEY: too regular to be a secret; make one with `openssl rand -base64 48`')
  }
  if (configuration.databaseSslMode === 'disable') {
    refuse('DB_SSL_MODE: production needs `require` or `verify-full`')
  }
  if (configuration.corsOrigins.includes('*')) refuse('CORS_ORIGINS: `*` is refused in production')
  if (!configuration.operatorsNeedSecondFactor) {
    refuse(
      "OPERATOR_SECOND_FACTOR_REQUIRED: `false` is refused in production: an operator's password alone would open every tenant",
    )
  }
  if (!configuration.limitsRates) {
    refuse('RATE_LIMIT_ENABLED: `false` is refused in production: passwords could be guessed without end')
  }
}

/** An address in numbers has no subdomains. */
function domainOf(url: string | undefined): string | undefined {
  const hostname = url === undefined ? '' : new URL(url).hostname
  return /[a-z]/i.test(hostname) && !hostname.startsWith('[') ? hostname : undefined
}

/** A development machine gets a random key of its own, kept so that encrypted secrets stay readable. */
function developmentSecretKey(dataDirectory: string): string {
  const file = join(dataDirectory, 'secret-key')
  mkdirSync(dataDirectory, { recursive: true })
  try {
    writeFileSync(file, randomBytes(48).toString('base64'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(file, 'utf8').trim()
}

class Reader {
  readonly problems: string[] = []
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim()
    return value === '' ? undefined : value
  }

  choice<Value extends string>(name: string, values: readonly Value[], fallback: Value): Value {
    const value = this.text(name)
    if (value === undefined) return fallback
    const found = values.find((candidate) => candidate === value)
    if (found === undefined) this.problems.push(`${name}: "${value}" is none of ${values.join(', ')}`)
    return found ?? fallback
  }

  integer(name: string, fallback: number, minimum: number, maximum: number): number {
    const value = this.text(name)
    if (value === undefined) return fallback
    const number = Number(value)
    if (/^\d+$/.test(value) && number >= minimum && number <= maximum) return number
    this.problems.push(`${name}: "${value}" is no whole number from ${minimum} to ${maximum}`)
    return fallback
  }

  /** The value itself is not repeated in the problem: addresses carry passwords. */
  url(name: string, protocols: readonly string[]): string | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const protocol = URL.canParse(value) ? new URL(value).protocol : undefined
    if (protocol !== undefined && protocols.includes(protocol)) return value
    this.problems.push(`${name}: is no address of the form ${protocols.map((p) => `${p}//…`).join(' or ')}`)
    return undefined
  }

  /** The text of a file of certificates. */
  certificates(name: string): string | undefined {
    const file = this.text(name)
    if (file === undefined) return undefined
    try {
      const text = readFileSync(file, 'utf8')
      if (text.includes('-----BEGIN CERTIFICATE-----')) return text
      this.problems.push(`${name}: "${file}" holds no certificate (PEM)`)
    } catch (error) {
      this.problems.push(`${name}: ${(error as Error).message}`)
    }
    return undefined
  }

  /** Addresses or networks (10.0.0.0/8), or the words the proxy library knows. */
  networks(name: string, fallback: readonly string[]): readonly string[] {
    const value = this.text(name)
    if (value === undefined) return fallback
    const networks = value.split(/[\s,]+/).filter((one) => one !== '')
    for (const network of networks) {
      const [address = '', prefix] = network.split('/')
      const version = isIP(address)
      const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32)) // prettier-ignore
      if (!['loopback', 'linklocal', 'uniquelocal'].includes(network) && (version === 0 || !isPrefix))
        this.problems.push(`${name}: "${network}" is no address or network such as 10.0.0.0/8`)
    }
    return networks
  }

  mailbox(name: string, fallback: string): string {
    const value = this.text(name)
    if (value === undefined || /^(?:[^<>"\p{Cc}]* )?<?[^\s<>@]+@[^\s<>@]+>?$/u.test(value))
      return value ?? fallback
    this.problems.push(`${name}: is no address of the form Name <address@example.com>`)
    return fallback
  }

  origins(name: string): readonly string[] {
    const origins = (this.text(name) ?? '')
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== '')
    for (const origin of origins) {
      if (origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin)) {
        this.problems.push(`${name}: "${origin}" is no origin such as https://app.example.com`)
      }
    }
    return origins
  }
}
