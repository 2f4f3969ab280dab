/** `npm run check`: everything that can be said about the code without running the product. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { styleText } from 'node:util'

const GENERATED = [
  'openapi.json',
  'src/portal/shared/api.d.ts',
  'src/tenancy/schema',
  'src/tenancy/landed-migrations.txt',
]

type Check = readonly [name: string, file: string, ...arguments_: string[]]

const types: readonly Check[] = [
  ['types: server', 'tsc', '-p', 'tsconfig.server.json'],
  ['types: portal', 'tsc', '-p', 'tsconfig.portal.json'],
  ['types: pure', 'tsc', '-p', 'tsconfig.pure.json'],
]
const looks: readonly Check[] = [
  ['formatting', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['lint', 'oxlint', '--deny-warnings', 'src', 'bench', 'tools', 'e2e'],
  ['boundaries', 'depcruise', '--config', '.dependency-cruiser.cjs', 'src'],
  ['migrations: expand and contract', 'node', '--disable-warning=ExperimentalWarning', 'tools/migrations.ts'],
]
/** Last: it writes what the others read. */
const generation: readonly Check[] = [
  ['generated files: made again', 'node', '--disable-warning=ExperimentalWarning', 'tools/generate.ts'],
  ['generated files: unchanged', 'git', 'diff', '--exit-code', '--stat', '--', ...GENERATED],
]

let failures = 0

async function inOrder(checks: readonly Check[]): Promise<void> {
  for (const [name, file, ...arguments_] of checks) {
    const startedAt = performance.now()
    const child = spawn(file, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise<number | null>((resolve, reject) =>
      child.on('close', resolve).on('error', reject),
    )
    const [status, ...output] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    const mark = status === 0 ? styleText('green', '✓') : styleText('red', '✗')
    process.stdout.write(`${mark} ${name} (${seconds} s)\n${status === 0 ? '' : `${output.join('')}\n`}`)
    if (status !== 0) failures++
  }
}

await Promise.all([inOrder(types), inOrder(looks)])
await inOrder(generation)
process.exitCode = failures === 0 ? 0 : 1
