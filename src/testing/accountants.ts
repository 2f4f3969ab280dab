/**
 * Programs that add up books and are not ours, from Debian. Where one is not installed its test is left out and
 * says so; REQUIRE_HLEDGER=1 and REQUIRE_LEDGER=1 make that a failure.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

export interface Accountant {
  readonly name: 'hledger' | 'ledger'
  readonly isWanted: boolean
  /** Exact balance of every account, by its whole name. Throws what the program says against the journal. */
  balances(journal: string): Record<string, string>
}

const separator = '|'

export const accountants: readonly Accountant[] = [
  {
    ...wanted('hledger'),
    balances: (journal) => {
      // More places than any amount has, so that nothing is rounded for show.
      const out = run('hledger', journal, ['bal', '--no-total', '-O', 'csv', '-c', '1000.0000 GBP'])
      const rows = out.split('\n').slice(1)
      return exact(
        rows.map((row) =>
          row
            .slice(1, -1)
            .split('","')
            .map((cell) => cell.replace(' GBP', '')),
        ),
      )
    },
  },
  {
    ...wanted('ledger'),
    balances: (journal) => {
      const format = `%(account)${separator}%(quantity(display_total))\n`
      const out = run('ledger', journal, ['bal', '--flat', '--no-total', '--format', format])
      return exact(out.split('\n').map((row) => row.split(separator)))
    },
  },
]

function wanted(name: Accountant['name']): Pick<Accountant, 'name' | 'isWanted'> {
  const variable = `REQUIRE_${name.toUpperCase()}`
  const isWanted = existsSync(`/usr/bin/${name}`) || process.env[variable] === '1'
  if (!isWanted) {
    console.warn(
      `/usr/bin/${name} is not there: nothing is compared with it (${variable}=1 makes this a failure)`,
    )
  }
  return { name, isWanted }
}

function run(name: Accountant['name'], journal: string, command: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(`/usr/bin/${name}`, ['-f', '-', ...command], {
    input: journal,
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 * 1_048_576,
    env: { LC_ALL: 'C.UTF-8' },
  })
  if (status !== 0 || stderr !== '') throw new Error(`${name}: ${error?.message ?? stderr}`)
  return stdout.trim()
}

/** Without the zeros behind the last digit that counts: the two show different numbers of them. */
function exact(rows: readonly (readonly string[])[]): Record<string, string> {
  return Object.fromEntries(
    rows.map(([account = '', amount = '']) => [
      account,
      amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount,
    ]),
  )
}
