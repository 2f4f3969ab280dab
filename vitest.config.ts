import { defineConfig } from 'vitest/config'
import { hasPgbouncer } from './src/testing/pgbouncer.ts'

/** What must hold behind a pooler too, where a connection is another one in every transaction. */
const POOLED = [
  'src/tenancy/gate.test.ts',
  'src/tenancy/isolation.test.ts',
  'src/tenancy/pooler.test.ts',
  'src/platform/tenants/passwords.test.ts',
  'src/erp/ledger/ledger.test.ts',
  'src/erp/ledger/model.test.ts',
  'src/http/idempotency.test.ts',
]

const isPoolerHere = hasPgbouncer()
if (!isPoolerHere) {
  if (process.env['REQUIRE_PGBOUNCER'] === '1')
    throw new Error('REQUIRE_PGBOUNCER=1, and pgbouncer is not there')
  process.stderr.write('NOT HERE: pgbouncer; nothing is tested behind a pooler (REQUIRE_PGBOUNCER)\n')
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'direct',
          include: ['src/**/*.test.ts'],
          exclude: ['src/tenancy/pooler.test.ts'],
          globalSetup: ['src/testing/postgres.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'behind PgBouncer',
          include: isPoolerHere ? POOLED : [],
          globalSetup: ['src/testing/pooled-postgres.ts'],
        },
      },
    ],
  },
})
