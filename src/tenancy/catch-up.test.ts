/** Catching up with a copy: whatever was written since, in whatever way, is in both. */
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { SECRET_KEY } from '../testing/product.ts'
import { catchUp, sinceNow, sinceOf } from './catch-up.ts'
import { copySnapshot, DatabaseSnapshot, verifyCopy } from './copy.ts'
import { addressOf, DatabaseServer, withClient } from './databases.ts'
import type { DatabaseAddress } from './pools.ts'
import { Secrets } from './secrets.ts'

const server = new DatabaseServer(addressOf(inject('adminUrl'), false), new Secrets(SECRET_KEY))
const [sourceName, targetName] = [`catch_up_${process.pid}_source`, `catch_up_${process.pid}_target`]

const SCHEMA = `
  CREATE TABLE hen (id int PRIMARY KEY, name text UNIQUE, egg_id int, amount numeric(10, 4));
  CREATE TABLE egg (id int PRIMARY KEY, hen_id int NOT NULL REFERENCES hen ON DELETE CASCADE, note text);
  ALTER TABLE hen ADD FOREIGN KEY (egg_id) REFERENCES egg ON DELETE SET NULL;
  CREATE TABLE keyless (id int, note text);
  CREATE TABLE "Two Keys" (a int, "B b" text, doubled int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (a, "B b"));
  CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
  CREATE TABLE ledger (id int PRIMARY KEY, line text);
  CREATE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse();
  CREATE TABLE still (id int PRIMARY KEY, note text);`
const ROWS = `
  INSERT INTO hen SELECT n, 'hen ' || n, NULL, n * 1.5 FROM generate_series(1, 300) n;
  INSERT INTO egg SELECT n, 1 + n % 300, 'egg' FROM generate_series(1, 900) n;
  UPDATE hen SET egg_id = id WHERE id % 2 = 0;
  INSERT INTO keyless VALUES (1, 'a'), (1, 'a'), (2, NULL);
  INSERT INTO "Two Keys" (a, "B b") SELECT n, 'k' || n FROM generate_series(1, 50) n;
  INSERT INTO counted (note) SELECT 'c' FROM generate_series(1, 20);
  INSERT INTO ledger SELECT n, 'line ' || n FROM generate_series(1, 500) n;
  INSERT INTO still SELECT n, 's' FROM generate_series(1, 100) n;`

let source: DatabaseAddress
let target: DatabaseAddress
const run = (address: DatabaseAddress, text: string): Promise<unknown> =>
  withClient(address, (client) => client.query(text))

beforeAll(() => server.prepare())
beforeEach(async () => {
  for (const name of [sourceName, targetName]) {
    await server.drop(name)
    await server.create(name)
  }
  source = server.migratorAddress(sourceName)
  target = server.migratorAddress(targetName)
  for (const address of [source, target]) await run(address, SCHEMA)
  await run(source, ROWS)
})
afterAll(async () => {
  for (const name of [sourceName, targetName]) await server.drop(name)
  await server.close()
})

/** Copies, and lets `meanwhile` write to the source after the snapshot and before its end. */
async function copied(meanwhile: () => Promise<unknown> = async () => {}): Promise<string> {
  const snapshot = await DatabaseSnapshot.open(source)
  try {
    await meanwhile()
    await copySnapshot(snapshot, target)
    return sinceOf(snapshot.transactions)
  } finally {
    await snapshot.close()
  }
}

const differences = async (): Promise<readonly string[]> => (await verifyCopy(source, target)).differences

describe('what was written since', () => {
  test.each([
    [
      'rows are added',
      `INSERT INTO hen VALUES (301, 'new', NULL, 0); INSERT INTO egg VALUES (901, 301, 'new')`,
    ],
    ['rows are changed', `UPDATE hen SET amount = amount + 1 WHERE id < 100`],
    ['rows are deleted, and others with them', `DELETE FROM hen WHERE id % 7 = 0`],
    ['as many are deleted as added', `DELETE FROM ledger_free; INSERT INTO ledger_free VALUES (99)`],
    [
      'a key is given to another row',
      `UPDATE hen SET name = 'x' WHERE id = 1; UPDATE hen SET name = 'hen 1' WHERE id = 2; UPDATE hen SET name = 'hen 2' WHERE id = 1`,
    ],
    [
      'a deleted key is taken again',
      `DELETE FROM hen WHERE id = 5; INSERT INTO hen VALUES (5, 'again', NULL, 5), (1005, 'hen 5', NULL, 5)`,
    ],
    [
      'a table without a key changes',
      `DELETE FROM keyless WHERE ctid = (SELECT min(ctid) FROM keyless); INSERT INTO keyless VALUES (3, 'b')`,
    ],
    [
      'a key of two columns',
      `UPDATE "Two Keys" SET "B b" = 'other' WHERE a = 3; DELETE FROM "Two Keys" WHERE a = 4; INSERT INTO "Two Keys" VALUES (60, 'x')`,
    ],
    ['an identity', `INSERT INTO counted (note) VALUES ('d'); DELETE FROM counted WHERE id = 1`],
    ['a table that only grows', `INSERT INTO ledger SELECT n, 'line' FROM generate_series(501, 700) n`],
    ['everything is deleted', `TRUNCATE hen, egg; DELETE FROM "Two Keys"`],
    [
      'a row written in a subtransaction',
      `BEGIN; SAVEPOINT a; INSERT INTO ledger VALUES (800, 'sub'); SAVEPOINT b; UPDATE still SET note = 't' WHERE id = 1; COMMIT`,
    ],
    [
      'a row written and rolled back',
      `BEGIN; INSERT INTO ledger VALUES (900, 'never'); ROLLBACK; UPDATE still SET note = 'u' WHERE id = 2`,
    ],
  ])('%s', async (_what, text) => {
    for (const address of [source])
      await run(address, 'CREATE TABLE ledger_free (id int PRIMARY KEY); INSERT INTO ledger_free VALUES (1)')
    await run(target, 'CREATE TABLE ledger_free (id int PRIMARY KEY)')
    const since = await copied()
    expect(await differences()).toEqual([])
    await run(source, text)
    expect((await differences()).length).toBeGreaterThan(0) // control: the writing is seen
    const { since: next } = await catchUp(source, target, since)
    expect(await differences()).toEqual([])
    // Again, from where it ended: whatever it brings once more, nothing changes.
    await catchUp(source, target, next)
    expect(await differences()).toEqual([])
    await expect(run(target, `INSERT INTO egg VALUES (5000, 77777)`)).rejects.toThrow('foreign key')
  })

  test('by a transaction that had begun before the copy and ended after it', async () => {
    const early = new pg.Client(source as pg.ClientConfig)
    await early.connect()
    await early.query(
      `BEGIN; INSERT INTO ledger VALUES (2000, 'early'); SAVEPOINT s; INSERT INTO ledger VALUES (2001, 'sub')`,
    )
    // Others come and go meanwhile, so that the subtransaction's number is no longer the newest.
    await run(source, `INSERT INTO still VALUES (200, 'between')`)
    const since = await copied()
    await early.query('COMMIT')
    await early.end()
    expect((await differences()).join()).toContain('ledger has 500 rows instead of 502') // control
    await catchUp(source, target, since)
    expect(await differences()).toEqual([])
  })

  test('while it is being copied', async () => {
    const since = await copied(() =>
      run(source, `INSERT INTO ledger VALUES (3000, 'during'); DELETE FROM egg WHERE id < 50`),
    )
    expect((await differences()).length).toBeGreaterThan(0)
    const { changedRows, deletedRows } = await catchUp(source, target, since)
    expect(deletedRows).toBe(49)
    expect(changedRows).toBeLessThan(100) // and not all of it
    expect(await differences()).toEqual([])
  })

  test('control: from too late a moment rows are missing, and that is found out', async () => {
    await copied()
    await run(source, `UPDATE still SET note = 'lost' WHERE id = 3`)
    await catchUp(source, target, await sinceNow(source))
    expect(await differences()).toEqual(['public.still has other rows (100 of them)'])
    await run(source, `INSERT INTO ledger VALUES (4000, 'lost')`)
    await expect(catchUp(source, target, await sinceNow(source))).rejects.toThrow('lacks 1 rows')
  })

  test('from very long ago everything is brought again', async () => {
    await copied()
    await run(source, `UPDATE still SET note = 'old' WHERE id = 4`)
    await catchUp(source, target, '-2000000000')
    expect(await differences()).toEqual([])
  })

  test('one that fails leaves the copy as it was', async () => {
    const since = await copied()
    await run(target, `ALTER TABLE hen ADD CHECK (name <> 'forbidden') NOT VALID`)
    await run(source, `UPDATE still SET note = 'v'; INSERT INTO hen VALUES (400, 'forbidden', NULL, 0)`)
    await expect(catchUp(source, target, since)).rejects.toThrow('check constraint')
    await run(target, 'ALTER TABLE hen DROP CONSTRAINT hen_name_check')
    await run(source, `DELETE FROM hen WHERE id = 400; UPDATE still SET note = 's'`)
    expect(await differences()).toEqual([])
  })

  test('a key that a dead process left unchecked is checked', async () => {
    const since = await copied()
    await run(
      target,
      `ALTER TABLE egg DROP CONSTRAINT egg_hen_id_fkey, ADD CONSTRAINT egg_hen_id_fkey FOREIGN KEY (hen_id) REFERENCES hen ON DELETE CASCADE NOT VALID`,
    )
    expect((await differences()).join()).toContain('egg_hen_id_fkey') // control
    await catchUp(source, target, since)
    expect(await differences()).toEqual([])
  })

  test('into a database of another shape it does not go', async () => {
    const since = await copied()
    await run(target, 'ALTER TABLE still ADD more int')
    await expect(catchUp(source, target, since)).rejects.toThrow('another shape')
  })
})
