/** Everything in one process, for a newcomer: builds the portal if needed and tells where to go. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { styleText } from 'node:util'
import { readConfiguration, type Configuration } from '../server/configuration.ts'
import { publicAddress, tenantAddress } from '../server/addresses.ts'
import { PORTAL_FOLDER, startProduct, type Product } from '../server/product.ts'
import { makeDemoTenant } from './demo.ts'
import { command } from './command.ts'
import { log, runUntilSignalled } from './program.ts'

async function run(withDemo: boolean): Promise<void> {
  const configuration = readConfiguration(process.env)
  if (!existsSync(join(PORTAL_FOLDER, 'index.html'))) buildPortal()
  const product = await startProduct(configuration, { log })
  const demo = withDemo ? await makeDemoTenant(product) : undefined
  const generatedPassword = await product.ensureFirstOperator()
  const port = await product.listen()
  await runUntilSignalled(product, () => printWelcome(product, port, generatedPassword, demo))
}

function buildPortal(): void {
  log('info', 'Building the portal (once) …')
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js')
  const root = join(import.meta.dirname, '..', '..')
  const result = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (result.status !== 0) log('warn', 'The portal could not be built; the API works without it')
}

function printWelcome(
  { configuration }: Product,
  port: number,
  generatedPassword: string | undefined,
  demo: Awaited<ReturnType<typeof makeDemoTenant>> | undefined,
): void {
  const base = publicAddress(configuration, port)
  const line = (label: string, value: string): void => {
    process.stdout.write(`  ${label.padEnd(18)} ${styleText('bold', value)}\n`)
  }
  process.stdout.write('\nSolution ERP is running\n\n')
  line('Operator portal', `${base}/operator`)
  line('API documentation', `${base}/api/v1/docs`)
  printOperator(configuration, generatedPassword, line)
  if (demo) {
    line('Demo tenant', tenantAddress(configuration, port, demo.subdomain))
    line('  sign in as', `${demo.email}${demo.password === undefined ? '' : ` / ${demo.password}`}`)
  }
  process.stdout.write('\nCtrl-C stops everything.\n')
}

function printOperator(
  { operatorEmail, operatorPassword }: Configuration,
  generated: string | undefined,
  line: (label: string, value: string) => void,
): void {
  if (generated !== undefined) line('First operator', `${operatorEmail} / ${generated}   (shown this once)`)
  else
    line(
      'First operator',
      `${operatorEmail}${operatorPassword === undefined ? '' : ' (password from OPERATOR_PASSWORD)'}`,
    )
}

const start = command({
  name: 'start',
  summary: 'everything in one process, with the portal (what `npm start` does)',
  options: { demo: { type: 'boolean', help: 'make a tenant to look around in' } },
  run: ({ values }) => run(values.demo),
})

export const commands = [start]
