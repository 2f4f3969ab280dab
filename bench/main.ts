/** `npm run bench [-- NAME …] [--json FILE]`: measures the named scenarios, or all. */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Bench, type Figure, type Scenario } from './harness.ts'
import { archive } from './scenarios/archive.ts'
import { authOverhead } from './scenarios/auth-overhead.ts'
import { fleetMigrate } from './scenarios/fleet-migrate.ts'
import { fleetTouch } from './scenarios/fleet-touch.ts'
import { importYear } from './scenarios/import-year.ts'
import { listPage } from './scenarios/list-page.ts'
import { postEntry } from './scenarios/post-entry.ts'
import { provision100 } from './scenarios/provision-100.ts'
import { signInStorm } from './scenarios/sign-in-storm.ts'
import { tenants } from './scenarios/tenants.ts'
import { trialBalance } from './scenarios/trial-balance.ts'

const scenarios: readonly Scenario[] = [
  postEntry,
  listPage,
  signInStorm,
  authOverhead,
  tenants,
  trialBalance,
  importYear,
  fleetTouch,
  archive,
  provision100,
  fleetMigrate,
]

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true })
const known = scenarios.flatMap(({ names }) => names)
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`There is no scenario ${unknown.join(', ')}; there are ${known.join(', ')}\n`)
  process.exit(2)
}

const bench = new Bench()
await bench.start()
const figures: Figure[] = []
try {
  for (const scenario of scenarios) {
    if (positionals.length > 0 && !scenario.names.some((name) => positionals.includes(name))) continue
    process.stderr.write(`${scenario.names.join(', ')} …\n`)
    figures.push(...(await scenario.run(bench)))
  }
} finally {
  await bench.stop()
}
printTable(figures)
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ scenarios: figures }, null, 2)}\n`)

function printTable(rows: readonly Figure[]): void {
  const header = ['scenario', 'ours', 'floor', 'unit', 'ratio', 'aim', 'met', 'runs', 'note']
  const cells = rows.map((row) => [
    row.name,
    number(row.ours),
    number(row.floor),
    row.unit,
    row.ratio === null ? '' : row.ratio.toFixed(2),
    row.aim,
    row.met ? 'yes' : 'NO',
    String(row.runs),
    row.note ?? '',
  ])
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => (row[column] ?? '').length)),
  )
  for (const row of [header, ...cells]) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
}

function number(value: number | null): string {
  if (value === null) return ''
  return value >= 100 ? value.toFixed(0) : value.toFixed(1)
}
