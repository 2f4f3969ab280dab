import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { ledgerProof } from '../erp/checks/ledger-proof.ts'
import { eventually } from '../testing/process.ts'
import { SECRET_KEY } from '../testing/product.ts'
import { copyDatabase, copySnapshot, DatabaseSnapshot, verifyCopy } from './copy.ts'
import { addressOf, DatabaseServer, withClient } from './databases.ts'
import { migrate } from './migrations.ts'
import { RowChecksum } from './row-checksum.ts'
import type { DatabaseAddress } from './pools.ts'
import { Secrets } from './secrets.ts'

const server = new DatabaseServer(addressOf(inject('adminUrl'), false), new Secrets(SECRET_KEY))
const made: string[] = []

/** A tenant's schema, and beside it whatever a schema of later days may contain. */
const ODD = `
  CREATE SCHEMA "odd one";
  CREATE TABLE "odd one"."Mixed ""Case""" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "a column" text, twice int, doubled int GENERATED ALWAYS AS (twice * 2) STORED,
    at timestamptz, amount numeric, bytes bytea, document jsonb, during tstzrange, dropped int,
    EXCLUDE USING gist (during WITH &&), UNIQUE (twice) DEFERRABLE INITIALLY DEFERRED);
  ALTER TABLE "odd one"."Mixed ""Case""" DROP COLUMN dropped;
  CREATE TABLE "odd one".hen (id int PRIMARY KEY, egg_id int);
  CREATE TABLE "odd one".egg (id int PRIMARY KEY, hen_id int REFERENCES "odd one".hen);
  ALTER TABLE "odd one".hen ADD FOREIGN KEY (egg_id) REFERENCES "odd one".egg;
  CREATE TABLE "odd one".large (id int PRIMARY KEY, parent_id int REFERENCES "odd one".large, name text UNIQUE, filler text);
  CREATE INDEX "large by length" ON "odd one".large (length(name)) WHERE id > 5;
  CREATE TABLE "odd one".unchecked (id int, hen_id int);
  ALTER TABLE "odd one".unchecked ADD CONSTRAINT later FOREIGN KEY (hen_id) REFERENCES "odd one".hen NOT VALID;
  CREATE TABLE "odd one".split (id int, name text) PARTITION BY RANGE (id);
  CREATE TABLE "odd one".split_low PARTITION OF "odd one".split FOR VALUES FROM (0) TO (100);
  CREATE TABLE "odd one".split_high PARTITION OF "odd one".split FOR VALUES FROM (100) TO (1000);
  CREATE UNIQUE INDEX ON "odd one".split (id);
  CREATE FUNCTION "odd one".refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
  CREATE TRIGGER always BEFORE INSERT ON "odd one".egg FOR EACH ROW EXECUTE FUNCTION "odd one".refuse();
  ALTER TABLE "odd one".egg ENABLE ALWAYS TRIGGER always;
  CREATE TRIGGER off BEFORE INSERT ON "odd one".hen FOR EACH ROW EXECUTE FUNCTION "odd one".refuse();
  ALTER TABLE "odd one".hen DISABLE TRIGGER off;
  CREATE TRIGGER normal BEFORE DELETE OR TRUNCATE ON "odd one".large EXECUTE FUNCTION "odd one".refuse();`

const ROWS = `
  INSERT INTO "odd one"."Mixed ""Case""" ("a column", twice, at, amount, bytes, document, during) VALUES
    (E'line\\nbreak\\ttab \\\\ back \\\\. end', 1, 'infinity', 'NaN', '\\x000aff5c', '{"a": "é\\n"}', '[2026-01-01,2026-02-01)'),
    ('', 2, NULL, 12345678901234567890.000100, '', 'null', 'empty'), (NULL, NULL, '2026-03-01 12:00:00.123456+03', -0.5, NULL, NULL, NULL);
  ALTER TABLE "odd one".egg DISABLE TRIGGER always;
  INSERT INTO "odd one".hen VALUES (1); INSERT INTO "odd one".egg VALUES (1, 1); UPDATE "odd one".hen SET egg_id = 1;
  ALTER TABLE "odd one".egg ENABLE ALWAYS TRIGGER always;
  INSERT INTO "odd one".large SELECT n, nullif(n - 1, 0), 'row ' || n, repeat('x', 200) FROM generate_series(1, 60000) n;
  INSERT INTO "odd one".split SELECT n, 'part ' || n FROM generate_series(0, 999) n;
  INSERT INTO core.idempotency_key (scope, key, operation, request_hash, status, response)
    SELECT 's', n::text, 'o', '\\x01', 200, 'r' FROM generate_series(1, 500) n;`

async function newDatabase(name: string, ...texts: string[]): Promise<DatabaseAddress> {
  const database = `copy_test_${process.pid}_${name}`
  made.push(database)
  await server.create(database)
  const address = server.migratorAddress(database)
  await server.withAdmin((client) => client.query('SELECT 1'))
  await withClient({ ...server.admin, database }, (client) => client.query('CREATE EXTENSION btree_gist'))
  await migrate(address, 'tenant')
  for (const text of texts) await withClient(address, (client) => client.query(text))
  return address
}

const run = (address: DatabaseAddress, text: string): Promise<Record<string, unknown>[]> =>
  withClient(address, async (client) => (await client.query<Record<string, unknown>>(text)).rows)

let source: DatabaseAddress
beforeAll(async () => {
  await server.prepare()
  source = await newDatabase('source', ODD, ROWS)
})
afterAll(async () => {
  for (const database of made) await server.drop(database)
  await server.close()
})

describe('a copy', () => {
  let target: DatabaseAddress
  beforeAll(async () => {
    // Rows of its own, as a clone of the template has.
    target = await newDatabase('target', ODD, `INSERT INTO "odd one".hen VALUES (7), (8)`)
    await run(target, `INSERT INTO core.role (name) VALUES ('somebody else')`)
  })

  test('is equal in rows, keys, indexes, triggers, sequences and proofs', async () => {
    const proof = { name: 'rows of large', text: 'SELECT count(*), sum(id) FROM "odd one".large' }
    const before = await verifyCopy(source, target, [proof, ledgerProof])
    expect(before.isEqual).toBe(false) // control
    expect(before.differences).toContain('"odd one".large has 0 rows instead of 60000')
    expect(before.differences.join()).toMatch(/rows of large: .* instead of /)

    const tables = await copyDatabase(source, target)
    expect(tables.find(({ table }) => table === '"odd one".large')?.rows).toBe(60_000)
    const comparison = await verifyCopy(source, target, [proof, ledgerProof])
    expect(comparison.differences).toEqual([])
    expect(comparison.isEqual).toBe(true)
    expect(comparison.tables).toEqual(tables) // counted on the way, and read back
    const [row] = await run(
      target,
      `INSERT INTO "odd one"."Mixed ""Case""" (twice) VALUES (9) RETURNING id, doubled`,
    )
    expect(row).toEqual({ id: 4, doubled: 18 })
    await run(
      target,
      `DELETE FROM "odd one"."Mixed ""Case""" WHERE twice = 9; SELECT setval('"odd one"."Mixed ""Case""_id_seq"', 3)`,
    )
  })

  test('has statistics, and its rules hold again', async () => {
    const [{ reltuples } = {}] = await run(
      target,
      `SELECT reltuples FROM pg_class WHERE oid = '"odd one".large'::regclass`,
    )
    expect(reltuples).toBe(60_000)
    await expect(run(target, 'DELETE FROM "odd one".large')).rejects.toThrow('refused')
    await expect(run(target, 'INSERT INTO "odd one".large VALUES (60001, 99999)')).rejects.toThrow(
      'foreign key',
    )
    await expect(run(target, `INSERT INTO "odd one".large VALUES (60001, 1, 'row 5')`)).rejects.toThrow(
      'unique',
    )
  })

  test.each([
    [
      'a row is gone',
      `DELETE FROM core.idempotency_key WHERE key = '77'`,
      'core.idempotency_key has 499 rows instead of 500',
    ],
    ['a value differs', `UPDATE "odd one".egg SET hen_id = NULL`, '"odd one".egg has other rows (1 of them)'],
    [
      'two values are swapped',
      `UPDATE "odd one".split SET name = 'part ' || (999 - id) WHERE id IN (400, 599)`,
      '"odd one".split_high has other rows (900 of them)',
    ],
    ['an index is gone', 'DROP INDEX "odd one"."large by length"', 'missing: index'],
    ['a trigger is off', 'ALTER TABLE "odd one".egg DISABLE TRIGGER always', 'missing: trigger'],
    [
      'a key was never checked',
      `ALTER TABLE "odd one".egg DROP CONSTRAINT egg_hen_id_fkey, ADD CONSTRAINT egg_hen_id_fkey FOREIGN KEY (hen_id) REFERENCES "odd one".hen NOT VALID`,
      'missing: constraint egg_hen_id_fkey',
    ],
    ['a sequence is behind', `SELECT setval('"odd one"."Mixed ""Case""_id_seq"', 1)`, 'not at: sequence'],
    [
      'a table is too much',
      'CREATE TABLE "odd one".more (id int)',
      'there is a table "odd one".more too much',
    ],
    [
      'a column is another',
      'ALTER TABLE "odd one".egg ALTER hen_id TYPE bigint',
      '"odd one".egg has other columns',
    ],
  ])('that differs is told: %s', async (_what, damage, difference) => {
    const copy = `copy_test_${process.pid}_damaged`
    made.push(copy)
    await server.drop(copy)
    await server.create(copy, target.database)
    const address = server.migratorAddress(copy)
    expect((await verifyCopy(source, address)).differences).toEqual([]) // control
    await run(address, damage)
    const { isEqual, differences } = await verifyCopy(source, address)
    expect(isEqual).toBe(false)
    expect(differences.join('\n')).toContain(difference)
  })

  test('comes from one moment, whatever is written meanwhile', async () => {
    const snapshot = await DatabaseSnapshot.open(source)
    try {
      await run(
        source,
        `DELETE FROM core.idempotency_key WHERE key = '1'; UPDATE "odd one".split SET name = 'later' WHERE id = 5`,
      )
      const copied = await copySnapshot(snapshot, target)
      expect(copied.find(({ table }) => table === 'core.idempotency_key')?.rows).toBe(500)
      expect(await run(target, 'SELECT name FROM "odd one".split WHERE id = 5')).toEqual([{ name: 'part 5' }])
    } finally {
      await snapshot.close()
    }
    expect((await verifyCopy(source, target)).differences).toHaveLength(2) // control: the writing was seen
  })

  test('is refused into a database of another shape, before anything is touched', async () => {
    const other = await newDatabase('other')
    await run(other, `INSERT INTO core.role (name) VALUES ('mine')`)
    await expect(copyDatabase(source, other)).rejects.toThrow('of another shape: there is no table "odd one"')
    expect(await run(other, 'SELECT name FROM core.role')).toEqual([{ name: 'mine' }])
  })

  test('that fails in the middle ends, leaves no connection and can be repeated', async () => {
    await run(target, `ALTER TABLE "odd one".large ADD CHECK (id <> 44444) NOT VALID`)
    await expect(copyDatabase(source, target)).rejects.toThrow('check constraint')
    // The server notices a moment later; its own vacuum workers are none of ours.
    await eventually(() =>
      server.withAdmin(async (client) => {
        const { rows } = await client.query<object>(
          `SELECT pid FROM pg_stat_activity WHERE datname = ANY ($1) AND backend_type = 'client backend'`,
          [[source.database, target.database]],
        )
        expect(rows).toEqual([])
      }),
    )
  })

  test('can be called off', async () => {
    const abort = new AbortController()
    const fresh = await newDatabase('called_off', ODD)
    const copying = copyDatabase(source, fresh, { signal: abort.signal })
    setTimeout(() => abort.abort(new Error('called off')), 30)
    await expect(copying).rejects.toThrow('called off')
  })
})

test('large objects are refused rather than left out', async () => {
  const address = await newDatabase('large_object', 'SELECT lo_from_bytea(0, $$x$$)')
  await expect(DatabaseSnapshot.open(address)).rejects.toThrow('large objects')
})

describe('the checksum of rows', () => {
  const of = (...chunks: string[]): unknown => {
    const sum = new RowChecksum()
    for (const chunk of chunks) sum.update(Buffer.from(chunk))
    return sum.figures()
  }

  test('knows neither order nor chunks', () => {
    const all = of('a\t1\nb\t2\nc\t3\n')
    expect(of('c\t3\nb\t2\na\t1\n')).toEqual(all)
    expect(of('a\t', '1\nb', '\t2', '\n', 'c\t3\n')).toEqual(all)
    expect(of('a\t1\nb\t2\nc\t4\n')).not.toEqual(all)
    expect(of('a\t2\nb\t1\nc\t3\n')).not.toEqual(all)
    expect(of('a\t1\nb\t2\n')).not.toEqual(all)
  })

  test('of a hundred thousand rows that differ a little has no two alike', () => {
    const seen = new Set<string>()
    for (let n = 0; n < 100_000; n++) seen.add(JSON.stringify(of(`${n}\tsame\n`)))
    expect(seen.size).toBe(100_000)
  })
})
