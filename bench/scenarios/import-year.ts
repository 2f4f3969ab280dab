/** The wholesaler's year (see the data's README): documents per second and peak memory of the import. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PASSWORD, type Bench, type Figure, type Scenario } from '../harness.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DATA = process.env['SHARED_DATA_DIR'] ?? join(ROOT, '..', 'shared', 'data')
const FILE = join(DATA, 'online-retail', 'online-retail.csv.gz')
const DOCUMENTS = '25900'
const TOTAL = '9747747.93 USD' // the bench's tenants keep their books in dollars; the figures are pounds
const MEMORY_AIM_MB = 300

export const importYear: Scenario = {
  names: ['import-year'],
  run: async (bench) => {
    if (!existsSync(FILE)) throw new Error(`The year of sales is not at ${FILE}; set SHARED_DATA_DIR`)
    const product = await bench.serve()
    await product.createTenant('YEAR', PASSWORD)
    await product.stop()
    const output = await importFile(bench)
    const figure = (label: string): string => new RegExp(`^ *${label} +(.+)$`, 'm').exec(output)?.[1] ?? ''
    if (figure('Documents') !== DOCUMENTS || figure('Total in the books') !== TOTAL) throw new Error(output)
    const memory = Number(figure('Peak memory \\(MB\\)'))
    const common = { floor: null, ratio: null, runs: 1 }
    const speed: Figure = { name: 'import-year', unit: 'documents/s', ours: Number(figure('Documents per second')), ...common, aim: 'none', met: true, note: `${figure('Seconds')} s in all` } // prettier-ignore
    const peak: Figure = { name: 'import-year-memory', unit: 'MB', ours: memory, ...common, aim: `≤ ${MEMORY_AIM_MB} MB`, met: memory <= MEMORY_AIM_MB } // prettier-ignore
    return [speed, peak]
  },
}

function importFile(bench: Bench): Promise<string> {
  const environment = { ...process.env, ...bench.environment() }
  const child = spawn(join(ROOT, 'bin/erp'), ['import-sales-journal', '--tenant', 'YEAR', FILE], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => (code === 0 ? resolve(output) : reject(new Error(output))))
  })
}
