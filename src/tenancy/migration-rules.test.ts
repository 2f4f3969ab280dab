import { describe, expect, test } from 'vitest'
import { breaches, checksumOf, editedMigrations, type Sample } from './migration-rules.ts'
import { landedMigrations, migrationsOf, type LandedMigration } from './migrations.ts'

const listed = (release: string, name: string): LandedMigration => ({
  release,
  set: 'tenant',
  name,
  checksum: '',
})
const landed = [listed('1.0', '1_first'), listed('1.1', '2_second'), listed('next', '3_third')]

function found(up: string, head = '', name = '4_new'): string[] {
  const sample: Sample = { set: 'tenant', name, head, up, down: '' }
  return breaches(sample, landed)
}

describe('what adds is let through', () => {
  test.each([
    [
      'a table with everything',
      'CREATE TABLE finance.a (id uuid PRIMARY KEY, b text NOT NULL UNIQUE, CHECK (b <> $$;$$))',
    ],
    ['a column that may be null', 'ALTER TABLE finance.journal_line ADD COLUMN memo text'],
    [
      'a column with a default',
      'ALTER TABLE core.company ADD memo text NOT NULL DEFAULT $$none$$, ADD other int',
    ],
    [
      'a default of the moment',
      'ALTER TABLE finance.journal_line ADD seen timestamptz NOT NULL DEFAULT now()',
    ],
    [
      'a rule over new columns',
      'ALTER TABLE core.company ADD a text, ADD b text, ADD CONSTRAINT ab CHECK (num_nonnulls(a, b) IN (0, 2))',
    ],
    [
      'a rule for what comes',
      'ALTER TABLE finance.journal_line ADD CONSTRAINT c CHECK (debit < 1e9) NOT VALID',
    ],
    ['its validation', 'ALTER TABLE finance.journal_line VALIDATE CONSTRAINT c'],
    ['an index of a small table', 'CREATE INDEX c ON masters.currency (name)'],
    [
      'a unique index with a new column',
      'ALTER TABLE core.company ADD a text; CREATE UNIQUE INDEX k ON core.company (lower(a), code) WHERE deleted_at IS NULL',
    ],
    [
      'everything about a new table',
      'CREATE TABLE sales.a (id uuid); CREATE UNIQUE INDEX a_key ON sales.a (id); ALTER TABLE sales.a DROP id; DROP TABLE sales.a',
    ],
    ['a function', 'CREATE OR REPLACE FUNCTION core.f() RETURNS void LANGUAGE sql AS $$ DROP TABLE x; $$'],
    [
      'a word in a text',
      "COMMENT ON TABLE core.company IS 'ALTER TABLE core.company DROP name; it''s a joke'",
    ],
    ['a comment', '-- DROP TABLE core.company;\n/* TRUNCATE core.company; */ SELECT 1'],
  ])('%s', (_what, up) => {
    expect(found(up)).toEqual([])
  })
})

const BREAKING: [string, string, RegExp][] = [
  ['a dropped table', 'DROP TABLE core.company', /drops a table/],
  ['a dropped function', 'SELECT 1; DROP FUNCTION core.f()', /drops a function/],
  ['a dropped column', 'ALTER TABLE core.company ADD a int, DROP COLUMN name', /drops a column/],
  ['the same in short', 'ALTER TABLE core.company DROP name', /drops a column/],
  ['a renamed column', 'ALTER TABLE core.company RENAME name TO title', /renames/],
  ['a renamed table', 'alter table core.company rename to firm', /renames/],
  ['another type', 'ALTER TABLE core.company ALTER COLUMN name TYPE varchar(10)', /type/],
  ['NOT NULL', 'ALTER TABLE core.company ALTER name SET NOT NULL', /forbids null/],
  [
    'a new column that must be filled',
    'ALTER TABLE core.company ADD COLUMN a text NOT NULL',
    /does not fill/,
  ],
  ['a new rule', 'ALTER TABLE finance.journal_line ADD CONSTRAINT c CHECK (debit < 1e9)', /NOT VALID/],
  ['a new reference', 'ALTER TABLE core.company ADD FOREIGN KEY (a) REFERENCES core.role', /NOT VALID/],
  [
    'a rule over old and new columns',
    'ALTER TABLE core.company ADD a text, ADD CHECK (a <> name)',
    /NOT VALID/,
  ],
  ['a new unique index', 'CREATE UNIQUE INDEX c ON masters.currency (name)', /forbids values/],
  ['a right taken away', 'REVOKE SELECT ON core.company FROM erp_tenant_runtime', /right/],
  ['rows hidden', 'ALTER TABLE core.company ENABLE ROW LEVEL SECURITY', /hides rows/],
  ['hidden in a block', 'DO $$ BEGIN ALTER TABLE core.company DROP name; END $$', /DO block/],
  ['rows emptied', 'TRUNCATE core.company', /empties/],
]

describe('what breaks the running code', () => {
  test.each(BREAKING)('%s is refused', (_what, up, reason) => {
    expect(found(up)).toEqual([expect.stringMatching(reason)])
  })

  test.each(BREAKING)('%s is let through as a contract step', (_what, up) => {
    expect(found(up, '-- contract: 2_second (no code reads it any more)')).toEqual([])
  })

  test('a contract must name what landed in an earlier release', () => {
    const up = 'ALTER TABLE core.company DROP name'
    expect(found(up, '-- contract: 3_third')).toEqual([
      expect.stringMatching(/same release/),
      expect.stringMatching(/drops/),
    ])
    expect(found(up, '-- contract: 9_nowhere')).toEqual([
      expect.stringMatching(/not landed/),
      expect.stringMatching(/drops/),
    ])
    expect(found(up, '-- contract: 2_second', '2_second')).toEqual([
      expect.stringMatching(/not landed/),
      expect.stringMatching(/drops/),
    ])
  })

  test('the first release is let alone: no code ran before it', () => {
    const up = 'ALTER TABLE core.company DROP name'
    expect(found(up, '', '1_first')).toEqual([])
    expect(found(up, '', '2_second')).toHaveLength(1) // control
  })
})

describe('what holds locks on a large table', () => {
  test.each([
    ['an index', 'CREATE INDEX c ON finance.journal_line USING btree (memo)', /CONCURRENTLY/],
    [
      'a column that rewrites',
      'ALTER TABLE finance.journal_line ADD a uuid DEFAULT core.uuid_v7()',
      /rewrites/,
    ],
    ['a change of all rows', 'UPDATE finance.account_balance SET debit = 0', /rows of a large table/],
  ])('%s is refused, also as a contract step', (_what, up, reason) => {
    expect(found(up)).toEqual([expect.stringMatching(reason)])
    expect(found(up, '-- contract: 1_first')).toEqual([expect.stringMatching(reason)])
    const small = up.replace(/finance\.\w+/, 'masters.currency')
    expect(found(small)).toEqual([]) // control: it is the table's size
  })

  test('an index CONCURRENTLY is made outside a transaction, so that it can be made again', () => {
    const make = 'CREATE INDEX CONCURRENTLY c ON finance.journal_line (memo)'
    const again = `DROP INDEX CONCURRENTLY IF EXISTS finance.c; ${make}`
    expect(found(again, '-- outside a transaction')).toEqual([])
    expect(found(again)).toEqual([expect.stringMatching(/needs `-- outside/)])
    expect(found(make, '-- outside a transaction')).toEqual([expect.stringMatching(/only DROP INDEX/)])
    expect(found(`${again}; SELECT 1`, '-- outside a transaction')).toEqual([
      expect.stringMatching(/only DROP INDEX/),
    ])
  })
})

test('a new tenant migration sorts behind all that have landed', () => {
  expect(found('SELECT 1', '', '2_between')).toEqual([expect.stringMatching(/must sort after 3_third/)])
  expect(
    breaches({ set: 'platform', name: '2_between', head: '', up: 'SELECT 1', down: '' }, landed),
  ).toEqual([])
})

test('what has landed is not edited, and not taken away', () => {
  const sample: Sample = { set: 'tenant', name: '1_a', head: '', up: 'SELECT 1', down: 'SELECT 2' }
  const list = [{ ...listed('1.0', '1_a'), checksum: checksumOf(sample) }]
  expect(editedMigrations([sample], list)).toEqual([])
  expect(editedMigrations([{ ...sample, head: '-- contract: 0_z' }], list)).toEqual([]) // it does not run
  expect(editedMigrations([{ ...sample, up: 'SELECT 3' }], list)).toEqual([expect.stringMatching(/edited/)])
  expect(editedMigrations([{ ...sample, down: '' }], list)).toEqual([expect.stringMatching(/edited/)])
  expect(editedMigrations([], list)).toEqual([expect.stringMatching(/gone/)])
})

test('the repository keeps to all of it, and its list is whole', () => {
  const list = landedMigrations()
  const all = (['platform', 'tenant'] as const).flatMap((set) =>
    migrationsOf(set).map((migration) => ({ set, ...migration })),
  )
  expect(all.flatMap((sample) => breaches(sample, list))).toEqual([])
  expect(editedMigrations(all, list)).toEqual([])
  expect(list.map(({ set, name }) => `${set} ${name}`)).toEqual(all.map(({ set, name }) => `${set} ${name}`))
  expect(all.length).toBeGreaterThan(20) // control: they were found
})
