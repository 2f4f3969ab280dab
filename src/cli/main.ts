/** `erp`: the operator's command line. Each command is in a file of its room; this one only finds it. */
import { ConfigurationError } from '../server/configuration.ts'
import { Problem } from '../kernel/problem.ts'
import { WaitsForApproval } from './caller.ts'
import { helpOf, runCommand, usageOf, UsageError, type Command } from './command.ts'

/** By their first word; loaded when asked for. */
const files: Readonly<Record<string, () => Promise<{ commands: readonly Command[] }>>> = {
  start: () => import('./start.ts'),
  serve: () => import('./serve.ts'),
  worker: () => import('./worker.ts'),
  migrate: () => import('./fleet.ts'),
  fleet: () => import('./fleet.ts'),
  secrets: () => import('./secrets.ts'),
  'single-sign-on': () => import('./single-sign-on.ts'),
  tenants: () => import('./tenants.ts'),
  operators: () => import('./operators.ts'),
  servers: () => import('./servers.ts'),
  restores: () => import('./restores.ts'),
  drills: () => import('./restores.ts'),
  exports: () => import('./exports.ts'),
  audit: () => import('./audit.ts'),
  check: () => import('./check.ts'),
  backups: () => import('./backups.ts'),
  'import-sales-journal': () => import('./import-sales-journal.ts'),
  'export-journal': () => import('./export-journal.ts'),
}

// Whoever reads only the beginning is gone then; what was begun is finished, without a word.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const [first = 'help', ...rest] = process.argv.slice(2)
const file = files[first]
if (!file) {
  await printHelp(Object.values(files))
  process.exitCode = first === 'help' || first === '--help' ? 0 : 2
} else if (rest.includes('--help')) {
  await printHelp([file])
} else {
  const { commands } = await file()
  const [second = '', ...further] = rest
  const one = commands.find(({ name }) => name === first)
  const command = one ?? commands.find(({ name }) => name === `${first} ${second}`)
  try {
    if (!command) throw new UsageError(`erp ${first}: there is no "${second}"`)
    await runCommand(command, one ? rest : further)
  } catch (error) {
    process.exitCode = reported(error, command ? [command] : commands)
  }
}

async function printHelp(shown: readonly (() => Promise<{ commands: readonly Command[] }>)[]): Promise<void> {
  const loaded = await Promise.all(shown.map((load) => load()))
  process.stdout.write('Solution ERP\n\n')
  // Some rooms are found by two words.
  for (const command of new Set(loaded.flatMap(({ commands }) => commands)))
    process.stdout.write(helpOf(command))
}

/** What went wrong in words, and the exit code: 2 for how it was called, 1 for what happened, 3 for what waits. */
function reported(error: unknown, commands: readonly Command[]): number {
  if (error instanceof UsageError) {
    const usages = commands.map((command) => `usage: ${usageOf(command)}\n`)
    process.stderr.write(`${error.message}\n${usages.join('')}`)
    return 2
  }
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${error.message}\n`)
    return 2
  }
  if (error instanceof WaitsForApproval) {
    process.stderr.write(`${error.message}\n`)
    return 3
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
