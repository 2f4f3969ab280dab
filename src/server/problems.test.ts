/** What a module can refuse is listed in its table of problems (`problems.ts`), and nowhere else. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const SOURCE = join(import.meta.dirname, '..')
const KIND = /\bcode: '[A-Z_]+',\s*status: \d{3}\b/

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !/^(?:portal|testing)\b/.test(path))
  .map((path) => ({ path, text: readFileSync(join(SOURCE, path), 'utf8') }))

test('kinds of problems stand in tables alone', () => {
  const holding = files.filter(({ text }) => KIND.test(text)).map(({ path }) => path)
  expect(holding.filter((path) => !/(?:^|\/)problems?\.ts$/.test(path))).toEqual([])
  // Control: they are seen where they stand.
  expect(holding).toEqual(expect.arrayContaining(['kernel/problem.ts', 'erp/identity/problems.ts']))
})
