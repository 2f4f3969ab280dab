/** `erp tenants move` and what belongs to it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Static } from 'typebox'
import { Problem, problems } from '../kernel/problem.ts'
import {
  dropKeptCopy,
  getMove,
  listMoves,
  moveTenant,
  undoMove,
  type Move,
} from '../platform/moves/contract.ts'
import { getOperation } from '../platform/operations/contract.ts'
import type { Product } from '../server/product.ts'
import { callPlatform } from './caller.ts'
import { command } from './command.ts'
import { log, tenantId, withProduct } from './program.ts'
import { serverNamed } from './servers.ts'

type MoveData = Static<typeof Move>

const LOOK_EVERY_MS = 250

const move = command({
  name: 'tenants move',
  summary: 'move its database to another server while its users work; ends when it is there',
  arguments: ['CODE'],
  options: { to: { type: 'string', value: 'SERVER', required: true, help: 'name of the server' } },
  run: ({ values, positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, code) }
      const body = { serverId: (await serverNamed(product, values.to)).id }
      await followed(product, await callPlatform(product, moveTenant, { params, body }))
    }),
})

const undo = command({
  name: 'tenants undo-move',
  summary: 'move it back, with all that was written since its last move',
  arguments: ['CODE'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const last = await lastDone(product, code)
      const params = { id: last.tenantId, moveId: last.id }
      await followed(product, await callPlatform(product, undoMove, { params }))
    }),
})

const moves = command({
  name: 'tenants moves',
  summary: 'its moves, newest first: id, state, from, to, writes held, old database kept until, reason',
  arguments: ['CODE'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, code) }
      const { moves: all } = await callPlatform(product, listMoves, { params, query: { limit: 200 } })
      for (const one of all) print(one)
    }),
})

const drop = command({
  name: 'tenants drop-moved',
  summary: 'drop the old database of its last move before its time',
  arguments: ['CODE'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const last = await lastDone(product, code)
      const params = { id: last.tenantId, moveId: last.id }
      print(await callPlatform(product, dropKeptCopy, { params }))
    }),
})

export const commands = [move, undo, moves, drop]

async function lastDone(product: Product, code: string): Promise<MoveData> {
  const params = { id: await tenantId(product, code) }
  const { moves: all } = await callPlatform(product, listMoves, { params, query: { limit: 200 } })
  const last = all.find(({ status }) => status === 'done')
  if (!last) throw new Problem(problems.notFound, { message: `${code} was not moved` })
  return last
}

/** Tells each step as it ends; whoever stops us stops only the telling if another process is there to go on. */
async function followed(product: Product, begun: MoveData): Promise<void> {
  const told = new Set<string>()
  for (;;) {
    const { steps } = await callPlatform(product, getOperation, { params: { id: begun.operationId } })
    for (const { name, status } of steps) {
      if (status === 'done' && !told.has(name)) log('info', name)
      if (status === 'done') told.add(name)
    }
    const params = { id: begun.tenantId, moveId: begun.id }
    const now = await callPlatform(product, getMove, { params })
    if (now.status !== 'running') {
      print(now)
      if (now.status === 'failed') process.exitCode = 1
      return
    }
    await sleep(LOOK_EVERY_MS)
  }
}

function print({
  id,
  status,
  fromServerName,
  toServerName,
  heldMilliseconds,
  keptUntil,
  error,
}: MoveData): void {
  const held = heldMilliseconds === null ? '' : `held ${heldMilliseconds} ms`
  const kept = keptUntil === null ? '' : `kept until ${keptUntil.slice(0, 16)}`
  const line = [id, status, fromServerName, toServerName, held, kept, error ?? '']
  process.stdout.write(`${line.join('\t').trimEnd()}\n`)
}
