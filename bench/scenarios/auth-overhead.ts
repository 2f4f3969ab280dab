/**
 * What authentication, permission and audit add to a request, in CPU. Authentication and permission: the process
 * time of a cheap route, against the same route of the same code with nobody at its door. Audit: the CPU of PostgreSQL's
 * backend for a change, against the same change with the audit trigger resting; nothing but the trigger differs.
 */
import { readFileSync } from 'node:fs'
import type pg from 'pg'
import { call, median, PASSWORD, request, type Bench, type Figure, type Scenario } from '../harness.ts'

const ROUTE = '/api/v1/roles/permissions'
const REQUESTS = 2_000
const AT_ONCE = 8
const ROUNDS = 15
const CHANGES = 2_000
const AIM_MS = 0.3
/** Of Linux's clock for processes. */
const TICK_MS = 10

export const authOverhead: Scenario = {
  names: ['auth-overhead'],
  run: async (bench: Bench) => {
    const product = await bench.serve()
    await product.createTenant('DOOR', PASSWORD)
    const known = await product.signIn('DOOR')
    const { 'x-tenant-id': code = '' } = known
    // With the same nursery as bin/erp has: how often garbage is collected is most of what a cheap request costs.
    const environment = { ...bench.environment(), NODE_OPTIONS: '--max-semi-space-size=32' }
    const floor = await bench.serveFloor('floor-open.ts', environment, '/health/live')
    const ours = () => cpuOfRequestMs(product.pid, product.url, known)
    const open = () => cpuOfRequestMs(floor.pid, floor.url, { 'x-tenant-id': code })
    await ours()
    await open()
    const [guarded, unguarded]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      unguarded.push(await open())
      guarded.push(await ours())
    }
    const audit = await auditOfChangeMs(bench, product.url, known)
    await floor.stop()
    await product.stop()
    const door = median(guarded) - median(unguarded)
    const overhead = door + audit
    const figure: Figure = {
      name: 'auth-overhead',
      unit: 'ms CPU a request',
      ours: median(guarded) + audit,
      floor: median(unguarded),
      ratio: (median(guarded) + audit) / median(unguarded),
      aim: `≤ ${AIM_MS} ms more`,
      met: overhead <= AIM_MS,
      runs: ROUNDS,
      note: `${overhead.toFixed(3)} ms more: ${door.toFixed(3)} at the door, ${audit.toFixed(3)} for the audit row of a change`,
    }
    return [figure]
  },
}

/** CPU of all threads of the process, a request. */
async function cpuOfRequestMs(pid: number, url: string, headers: Record<string, string>): Promise<number> {
  const before = cpuMs(pid)
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let count = 0; count < REQUESTS / AT_ONCE; count++) {
        const { status, text } = await request(url, 'GET', ROUTE, headers)
        if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`)
      }
    }),
  )
  return (cpuMs(pid) - before) / REQUESTS
}

function cpuMs(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=\S )/)
  const fields = rest.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

async function auditOfChangeMs(bench: Bench, url: string, headers: Record<string, string>): Promise<number> {
  const unit = { code: 'DOOR', name: 'Changed again and again', category: 'count' }
  const { data } = await call(url, 'POST', '/api/v1/masters/units-of-measure', headers, unit)
  const client = await bench.connect('erp_tenant_door')
  const { rows } = await client.query<{ name: string }>(
    `SELECT tgname AS name FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE tgrelid = 'masters.unit_of_measure'::regclass AND p.proname = 'record_change'`,
  )
  const trigger = rows[0]?.name
  const backend = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0
  if (trigger === undefined) throw new Error('Units of measure have no audit trigger')
  const [audited, resting]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    resting.push(await changesMs(client, backend, data.id, `DISABLE TRIGGER ${trigger}`))
    audited.push(await changesMs(client, backend, data.id, `ENABLE TRIGGER ${trigger}`))
  }
  await client.end()
  return (median(audited) - median(resting)) / CHANGES
}

/** Undone each time, so that no round finds more than the one before. */
async function changesMs(client: pg.Client, backend: number, id: string, audit: string): Promise<number> {
  await client.query('BEGIN')
  await client.query(`ALTER TABLE masters.unit_of_measure ${audit}`)
  const before = cpuMs(backend)
  await client.query(`DO $$ BEGIN FOR n IN 1..${CHANGES} LOOP
    UPDATE masters.unit_of_measure SET name = 'Changed ' || n WHERE id = '${id}'; END LOOP; END $$`)
  const milliseconds = cpuMs(backend) - before
  await client.query('ROLLBACK')
  return milliseconds
}
