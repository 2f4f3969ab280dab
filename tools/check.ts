/** `npm run check`: everything that can be said about the code without running the product. */
import { spawnSync } from 'node:child_process'
import { styleText } from 'node:util'

const GENERATED = [
  'openapi.json',
  'src/portal/shared/api.d.ts',
  'src/tenancy/schema',
  'src/tenancy/landed-migrations.txt',
]

const checks: readonly (readonly [string, string, ...string[]])[] = [
  ['formatting', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['types: pure', 'tsc', '-p', 'tsconfig.pure.json'],
  ['types: server', 'tsc', '-p', 'tsconfig.server.json'],
  ['types: portal', 'tsc', '-p', 'tsconfig.portal.json'],
  ['lint', 'oxlint', '--deny-warnings', 'src', 'bench', 'tools', 'e2e'],
  ['boundaries', 'depcruise', '--config', '.dependency-cruiser.cjs', 'src'],
  ['migrations: expand and contract', 'node', '--disable-warning=ExperimentalWarning', 'tools/migrations.ts'],
  ['generated files: made again', 'node', '--disable-warning=ExperimentalWarning', 'tools/generate.ts'],
  ['generated files: unchanged', 'git', 'diff', '--exit-code', '--stat', '--', ...GENERATED],
]

let failures = 0
for (const [name, file, ...arguments_] of checks) {
  const startedAt = performance.now()
  const { status, stdout, stderr } = spawnSync(file, arguments_, { encoding: 'utf8' })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  if (status === 0) {
    process.stdout.write(`${styleText('green', '✓')} ${name} (${seconds} s)\n`)
    continue
  }
  failures++
  process.stdout.write(`${styleText('red', '✗')} ${name} (${seconds} s)\n${stdout}${stderr}\n`)
}
process.exitCode = failures === 0 ? 0 : 1
