/** Steps in a process that has stopped carrying workflows out. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { expect, test } from 'vitest'
import { runStep } from './steps.ts'

const WAITED_MS = 300

function outcome(step: typeof DBOS.runStep): Promise<string> {
  const begin = async (): Promise<string> => step(async () => 'begun', { name: 'too late' })
  const begun = begin().catch((error: Error) => error.message)
  return Promise.race([begun, sleep(WAITED_MS, 'neither')])
}

test('a step neither begins nor fails: its workflow stays unfinished, for another process to take over', async () => {
  expect(await outcome(runStep)).toBe('neither')
})

test('control: as DBOS does it, it fails, which would be the end of its workflow', async () => {
  expect(await outcome((work, options) => DBOS.runStep(work, options))).toContain('DBOS.launch()')
})
