/** `erp`: the operator's command line. Each command is a file; this one only finds it. */
import { ConfigurationError } from '../server/configuration.ts'
import { Problem } from '../kernel/problem.ts'
import { UsageError } from './program.ts'

interface Command {
  readonly usage: string
  readonly summary: string
  readonly load: () => Promise<{ run: (arguments_: string[]) => Promise<void> }>
}

const commands: Readonly<Record<string, Command>> = {
  start: {
    usage: 'erp start [--demo]',
    summary: 'everything in one process, with the portal (what `npm start` does)',
    load: () => import('./start.ts'),
  },
  serve: { usage: 'erp serve', summary: 'the HTTP server', load: () => import('./serve.ts') },
  worker: { usage: 'erp worker', summary: 'background work only', load: () => import('./worker.ts') },
  migrate: {
    usage: 'erp migrate',
    summary: 'bring the platform and every tenant to this version',
    load: () => import('./migrate.ts'),
  },
  tenants: {
    usage: 'erp tenants list | create CODE … | suspend CODE --reason TEXT | activate CODE',
    summary: 'the tenants',
    load: () => import('./tenants.ts'),
  },
  check: {
    usage: 'erp check TENANT|--all',
    summary: 'prove that balances equal their lines, numbers have no gaps, and more',
    load: () => import('./check.ts'),
  },
  'import-sales-journal': {
    usage: 'erp import-sales-journal --tenant CODE [--skip-bad-rows] FILE.csv[.gz]',
    summary: 'post one journal entry per sales document of a CSV file',
    load: () => import('./import-sales-journal.ts'),
  },
  'export-journal': {
    usage: 'erp export-journal --tenant CODE',
    summary: 'write the journal as plain text that hledger and ledger read',
    load: () => import('./export-journal.ts'),
  },
}

const [name, ...rest] = process.argv.slice(2)
const command = name === undefined ? undefined : commands[name]
if (!command || rest.includes('--help')) {
  printUsage()
  process.exitCode = name === undefined || name === 'help' || name === '--help' || command ? 0 : 2
} else {
  try {
    const { run } = await command.load()
    await run(rest)
  } catch (error) {
    process.exitCode = reported(error, command)
  }
}

function printUsage(): void {
  process.stdout.write('Solution ERP\n\n')
  for (const { usage, summary } of Object.values(commands))
    process.stdout.write(`  ${usage}\n      ${summary}\n`)
}

/** What went wrong in words, and the exit code: 2 for how it was called, 1 for what happened. */
function reported(error: unknown, { usage }: Command): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\nusage: ${usage}\n`)
    return 2
  }
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${error.message}\n`)
    return 2
  }
  if (error instanceof Problem) {
    process.stderr.write(`${error.code}: ${error.message}\n`)
    if (Array.isArray(error.details)) {
      for (const { field, message } of error.details) process.stderr.write(`  ${field}: ${message}\n`)
    }
    return 1
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 1
}
