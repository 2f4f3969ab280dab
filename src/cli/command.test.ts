/** One declaration reads the arguments and writes the help: what one takes, the other tells. */
import { expect, test } from 'vitest'
import { command, helpOf, runCommand, usageOf, UsageError } from './command.ts'

let given: unknown
const paint = command({
  name: 'walls paint',
  summary: 'paint a wall',
  arguments: ['WALL', '[SIDE]'],
  options: {
    colour: { type: 'string', value: 'NAME', required: true, help: 'which colour' },
    coats: { type: 'string', value: 'NUMBER', default: '2', help: 'how often' },
    brush: { type: 'string', help: 'with what' },
    dry: { type: 'boolean', help: 'wait for it' },
  },
  run: async (what) => {
    given = what
  },
})

test('what is given arrives, with defaults for what is not', async () => {
  await runCommand(paint, ['north', '--colour', 'white'])
  expect(given).toEqual({ values: { colour: 'white', coats: '2', dry: false }, positionals: ['north'] })
  await runCommand(paint, [
    'north',
    'inside',
    '--colour',
    'white',
    '--coats',
    '3',
    '--dry',
    '--brush',
    'wide',
  ])
  expect(given).toEqual({
    values: { colour: 'white', coats: '3', dry: true, brush: 'wide' },
    positionals: ['north', 'inside'],
  })
})

test.each([
  [[], 'WALL is missing'],
  [['north'], '--colour is missing'],
  [['north', 'inside', 'twice', '--colour', 'white'], '"twice" is one too many'],
  [['north', '--colour', 'white', '--shade', 'dark'], '--shade'],
  [['north', '--colour'], '--colour'],
])('%j is refused', async (arguments_, reason) => {
  await expect(runCommand(paint, arguments_)).rejects.toThrow(UsageError)
  await expect(runCommand(paint, arguments_)).rejects.toThrow(reason)
})

test('help and usage tell everything it takes', () => {
  expect(usageOf(paint)).toBe(
    'erp walls paint WALL [SIDE] --colour NAME [--coats NUMBER] [--brush TEXT] [--dry]',
  )
  expect(helpOf(paint)).toBe(`  erp walls paint WALL [SIDE]
      paint a wall
        --colour NAME   which colour (needed)
        --coats NUMBER  how often (default: 2)
        --brush TEXT    with what
        --dry           wait for it
`)
})
