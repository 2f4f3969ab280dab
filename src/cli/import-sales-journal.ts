import { createReadStream, existsSync, statSync } from 'node:fs'
import { chartTemplates, type ChartTemplateCode } from '../erp/onboarding.ts'
import type { AccountRole } from '../erp/companies/rules/charts.ts'
import { printable, type RowProblem } from '../erp/imports/rules/salesJournal.ts'
import {
  importSalesJournal,
  type SalesImportProgress,
  type SalesImportSummary,
} from '../erp/imports/salesJournal.ts'
import { postSalesBatch } from '../erp/imports/salesPosting.ts'
import { newId } from '../tenancy/new-id.ts'
import { SYSTEM } from '../server/product.ts'
import { command, UsageError } from './command.ts'
import { chooseCompany, findTenant, withProduct } from './program.ts'

const LISTED_PROBLEMS = 50

interface Request {
  readonly file: string
  readonly tenant: string
  readonly companyCode: string | undefined
  readonly skipBadRows: boolean
}

async function run({ file, tenant, companyCode, skipBadRows }: Request): Promise<void> {
  if (!existsSync(file)) throw new UsageError(`There is no file ${file}`)
  const sizeBytes = statSync(file).size
  await withProduct(async (product) => {
    const location = await findTenant(product, tenant)
    const company = await chooseCompany(product, location, companyCode)
    const startedAtMs = Date.now()
    const result = await importSalesJournal({
      open: () => createReadStream(file),
      companyAccounts: accountsOf(company.chartTemplate as ChartTemplateCode),
      skipBadRows,
      onProgress: (progress) => showProgress(progress, sizeBytes),
      postBatch: (entries) =>
        product.gate.writeTenant(location, company.id, SYSTEM, (tx) => postSalesBatch(tx, entries, newId)),
    })
    endProgress()
    printProblems(result.problems, result.problemCount)
    if (result.outcome === 'refused') {
      process.stdout.write(
        `Nothing was posted${result.unusable ? '' : '; --skip-bad-rows leaves out the documents concerned'}.\n`,
      )
      process.exitCode = 1
      return
    }
    printSummary(result, (Date.now() - startedAtMs) / 1000, company.baseCurrency)
  })
}

function accountsOf(template: ChartTemplateCode): ReadonlyMap<AccountRole, string> {
  const chart = chartTemplates.find(({ code }) => code === template)
  return new Map(Object.entries(chart?.roles ?? {}) as [AccountRole, string][])
}

const BAR_WIDTH = 30

function showProgress({ phase, documents, bytesRead }: SalesImportProgress, sizeBytes: number): void {
  if (!process.stderr.isTTY) return
  const share = sizeBytes === 0 ? 1 : Math.min(1, bytesRead / sizeBytes)
  const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░')
  process.stderr.write(
    `\r${phase.padEnd(8)} ${bar} ${(share * 100).toFixed(0).padStart(3)} % ${documents} documents`,
  )
}

function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\n')
}

function printProblems(problems: readonly RowProblem[], count: number): void {
  for (const { line, column, value, reason } of problems.slice(0, LISTED_PROBLEMS)) {
    process.stdout.write(
      `line ${line}, ${column}: ${printable(reason)}${value === '' ? '' : ` (${printable(value)})`}\n`,
    )
  }
  if (count > LISTED_PROBLEMS) process.stdout.write(`… and ${count - LISTED_PROBLEMS} more\n`)
}

function printSummary(summary: SalesImportSummary, seconds: number, currency: string): void {
  const print = (label: string, value: string | number): void => {
    process.stdout.write(`${label.padEnd(28)} ${value}\n`)
  }
  print('Rows', summary.rows)
  print('Documents', summary.documents)
  print('  posted', summary.posted)
  print('  already in the books', summary.alreadyThere)
  print('  without any value', summary.withoutValue)
  print('  left out (bad rows)', summary.skippedDocumentCount)
  print('Total in the books', `${summary.total} ${currency}`)
  for (const { line, document, exact, posted } of summary.roundedRows) {
    print('  rounded', `document ${document}, line ${line}: ${exact} → ${posted}`)
  }
  print('Exact less posted', summary.roundingDifference)
  print('Seconds', seconds.toFixed(1))
  print('Documents per second', Math.round(summary.documents / seconds))
  print('Peak memory (MB)', Math.round(process.resourceUsage().maxRSS / 1024))
}

const importJournal = command({
  name: 'import-sales-journal',
  summary: 'post one journal entry per sales document of a CSV file',
  arguments: ['FILE.csv[.gz]'],
  options: {
    tenant: { type: 'string', value: 'CODE', required: true, help: 'into whose books' },
    company: { type: 'string', value: 'CODE', help: 'which company, where there are several' },
    'skip-bad-rows': {
      type: 'boolean',
      help: 'leave documents with broken rows out instead of posting nothing',
    },
  },
  run: ({ values, positionals: [file = ''] }) =>
    run({
      file,
      tenant: values.tenant,
      companyCode: values.company,
      skipBadRows: values['skip-bad-rows'],
    }),
})

export const commands = [importJournal]
