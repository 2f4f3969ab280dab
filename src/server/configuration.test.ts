import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigurationError, readConfiguration } from './configuration.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-configuration-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const KEYS = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'secret' } as const
const safe = {
  ENVIRONMENT: 'production',
  DATABASE_URL: 'postgres://erp:pw@db.example.com/erp_platform',
  SECRET_KEY: 'Zk3v9Qp1xT7rB5nM2wL8sD4fG6hJ0kYc',
  DB_SSL_MODE: 'require',
  DATA_DIR: directory,
}

function problemsOf(environment: Record<string, string | undefined>): readonly string[] {
  try {
    readConfiguration({ DATA_DIR: directory, ...environment })
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}
const names = (environment: Record<string, string | undefined>): string[] =>
  problemsOf(environment).map((problem) => problem.split(':')[0] ?? '')

describe('in development', () => {
  test('nothing needs to be said: everything has a safe default', () => {
    const configuration = readConfiguration({ DATA_DIR: directory })
    expect(configuration).toMatchObject({
      environment: 'development',
      databaseUrl: undefined,
      port: 3000,
      jwtAlgorithm: 'HS256',
      accessTokenSeconds: 86_400,
      refreshTokenSeconds: 604_800,
      rememberedRefreshTokenSeconds: 2_592_000,
      sessionsPerUserMaximum: 3,
      corsOrigins: [],
      operatorPassword: undefined,
      needsDualApproval: false,
    })
  })

  test('the secret key is made up once, kept, and readable by its owner alone', () => {
    const first = readConfiguration({ DATA_DIR: directory }).secretKey
    expect(first.length).toBeGreaterThanOrEqual(32)
    expect(readConfiguration({ DATA_DIR: directory }).secretKey).toBe(first)
    const file = join(directory, 'secret-key')
    expect(readFileSync(file, 'utf8')).toBe(first)
    expect(statSync(file).mode & 0o077).toBe(0)
  })
})

describe('operators', () => {
  test.each([
    [safe, true],
    [{ OPERATOR_SECOND_FACTOR_REQUIRED: 'false' }, false],
    [{}, false],
    [{ OPERATOR_SECOND_FACTOR_REQUIRED: 'true' }, true],
  ])('need a second factor in production, elsewhere where it is said', (environment, isNeeded) => {
    const { operatorsNeedSecondFactor } = readConfiguration({ DATA_DIR: directory, ...environment })
    expect(operatorsNeedSecondFactor).toBe(isNeeded)
  })
})

describe('in production', () => {
  test('what is safe is accepted', () => {
    expect(names(safe)).toEqual([])
    expect(names({ ...safe, DB_SSL_MODE: 'verify-full' })).toEqual([])
  })

  test.each([
    ['DATABASE_URL', { DATABASE_URL: undefined }],
    ['SECRET_KEY', { SECRET_KEY: undefined }],
    ['SECRET_KEY', { SECRET_KEY: 'short' }],
    ['SECRET_KEY', { SECRET_KEY: 'x'.repeat(64) }],
    ['SECRET_KEY', { SECRET_KEY: 'abab'.repeat(10) }],
    ['SECRET_KEY_PREVIOUS', { SECRET_KEY_PREVIOUS: `${'k'.repeat(40)}, short` }],
    ['DB_SSL_CA_FILE', { DB_SSL_CA_FILE: import.meta.filename, DB_SSL_MODE: 'verify-full' }],
    ['DB_SSL_CA_FILE', { DB_SSL_CA_FILE: '/nowhere', DB_SSL_MODE: 'verify-full' }],
    ['DB_POOLER_URL', { DB_POOLER_URL: 'postgres://nobody-named:6432/' }],
    ['DB_SSL_MODE', { DB_SSL_MODE: undefined }],
    ['DB_SSL_MODE', { DB_SSL_MODE: 'disable' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: '*' }],
    ['OPERATOR_SECOND_FACTOR_REQUIRED', { OPERATOR_SECOND_FACTOR_REQUIRED: 'false' }],
    ['RATE_LIMIT_ENABLED', { RATE_LIMIT_ENABLED: 'false' }],
    ['BACKUP_URL', { BACKUP_URL: 's3://bucket/path' }],
    ['BACKUP_URL', { BACKUP_URL: 's3://user:pass@bucket/path', ...KEYS }],
    ['BACKUP_URL', { BACKUP_URL: 's3://bucket?endpoint=http%3A%2F%2Fs3.example.com', ...KEYS }],
    ['BACKUP_URL', { BACKUP_URL: 's3://bucket?endpoint=elsewhere', ...KEYS }],
    ['BACKUP_CA_FILE', { BACKUP_CA_FILE: '/nowhere' }],
    ['BACKUP_TIME', { BACKUP_TIME: '24:00' }],
    ['BACKUP_TIME', { BACKUP_TIME: 'at night' }],
  ])('%s is refused when %j', (name, change) => {
    expect(names({ ...safe, ...change })).toEqual([name])
  })

  test('everything that is missing is told at once', () => {
    expect(names({ ENVIRONMENT: 'production' }).toSorted()).toEqual([
      'DATABASE_URL',
      'DB_SSL_MODE',
      'SECRET_KEY',
    ])
    const open = { RATE_LIMIT_ENABLED: 'false', OPERATOR_SECOND_FACTOR_REQUIRED: 'false' }
    expect(problemsOf({ ENVIRONMENT: 'production', ...open })).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^DATABASE_URL: /),
        expect.stringMatching(/^OPERATOR_SECOND_FACTOR_REQUIRED: .*password alone would open every tenant$/),
        expect.stringMatching(/^RATE_LIMIT_ENABLED: .*guessed without end$/),
      ]),
    )
    expect(names(open)).toEqual([]) // control: elsewhere nobody minds
  })
})

test('every wrong value is told at once, in a message that lists them', () => {
  const wrong = {
    ENVIRONMENT: 'staging',
    DATABASE_URL: 'mysql://user:hunter2@host/db',
    ADMIN_DATABASE_URL: 'not an address',
    DB_SSL_MODE: 'maybe',
    SECRET_KEY: 'short',
    PORT: '70000',
    PUBLIC_URL: 'ftp://example.com',
    JWT_ALGORITHM: 'none',
    ACCESS_TOKEN_SECONDS: '-1',
    REFRESH_TOKEN_SECONDS: '1e3',
    REMEMBERED_REFRESH_TOKEN_SECONDS: 'a month',
    SESSIONS_PER_USER_MAXIMUM: '0',
    LOG_LEVEL: 'loud',
    CORS_ORIGINS: 'https://ok.example.com, app.example.com, https://x.example.com/path',
    READY_DATABASES: '3.5',
    CONNECTIONS_MAXIMUM: '1',
    CONNECTIONS_PER_TENANT_MAXIMUM: '0x10',
    CONNECTION_WAIT_MS: '1',
    REDIS_URL: 'http://redis',
    SENTRY_DSN: 'sentry',
    SMTP_URL: 'mail.example.com',
    BACKUP_URL: 'tape:1',
    BACKUP_TIME: '2',
    BACKUP_SPREAD_MINUTES: '2000',
    BACKUPS_AT_ONCE: '0',
    BACKUP_BEFORE_MIGRATION: 'perhaps',
    BACKUPS_PROVEN_WITHIN_DAYS: '-1',
    RATE_LIMIT_ENABLED: 'yes',
    DUAL_APPROVAL: 'both',
    RATE_LIMIT_PER_MINUTE: '0',
  }
  const found = names(wrong)
  expect(new Set(found)).toEqual(new Set(Object.keys(wrong)))
  expect(found.filter((name) => name === 'CORS_ORIGINS')).toHaveLength(2)
  const error = new ConfigurationError(problemsOf(wrong))
  for (const name of Object.keys(wrong)) expect(error.message).toContain(`  - ${name}: `)
  // A password in a wrong address does not get into the log.
  expect(error.message).not.toContain('hunter2')
  expect(error.message).not.toContain('short')
})

test('control: the right values of all of those are accepted', () => {
  expect(
    names({
      ...safe,
      ADMIN_DATABASE_URL: 'postgresql://admin:pw@db.example.com/postgres',
      PORT: '0',
      PUBLIC_URL: 'https://erp.example.com',
      JWT_ALGORITHM: 'HS512',
      ACCESS_TOKEN_SECONDS: '900',
      SESSIONS_PER_USER_MAXIMUM: '5',
      LOG_LEVEL: 'warn',
      CORS_ORIGINS: 'https://a.example.com, https://b.example.com:8443',
      READY_DATABASES: '0',
      REDIS_URL: 'rediss://cache.example.com',
      SMTP_URL: 'smtps://mail.example.com',
      BACKUP_URL: 's3://bucket/path?region=eu-west-1&endpoint=https%3A%2F%2Fs3.example.com',
      ...KEYS,
      BACKUP_TIME: '23:30',
      BACKUP_SPREAD_MINUTES: '0',
      RATE_LIMIT_ENABLED: 'true',
      DUAL_APPROVAL: 'true',
    }),
  ).toEqual([])
})

test('an empty value counts as not given', () => {
  expect(readConfiguration({ DATA_DIR: directory, PORT: ' ', DATABASE_URL: '' })).toMatchObject({
    port: 3000,
    databaseUrl: undefined,
  })
})
