/** A tenant with 1,000,000 journal lines, posted through the product's own door. */
import { call, PASSWORD, type ServedProduct } from './harness.ts'

export const MILLION_LINES = 1_000_000
const LINES_PER_ENTRY = 10
const ENTRIES_PER_REQUEST = 1_000

/** Headers of its administrator. */
export async function postMillionLines(
  product: ServedProduct,
  code: string,
): Promise<Record<string, string>> {
  await product.createTenant(code, PASSWORD)
  const headers = await product.signIn(code)
  const accounts = await call(
    product.url,
    'GET',
    '/api/v1/masters/gl-accounts?controlAccount=none&postingAllowed=true&limit=200',
    headers,
  )
  const ids: string[] = accounts.data.glAccounts.map(({ id }: { id: string }) => id)
  const requests = MILLION_LINES / LINES_PER_ENTRY / ENTRIES_PER_REQUEST
  for (let index = 0; index < requests; index++) {
    const body = {
      journalEntries: Array.from({ length: ENTRIES_PER_REQUEST }, (_, n) =>
        entry(ids, index * ENTRIES_PER_REQUEST + n),
      ),
    }
    await call(product.url, 'POST', '/api/v1/finance/journal-entries/bulk', headers, body)
  }
  return headers
}

/** Spread over the accounts and all days of the year. */
function entry(ids: readonly string[], index: number): object {
  const day = new Date(Date.UTC(2026, 0, 1 + (index % 365))).toISOString().slice(0, 10)
  const lines = Array.from({ length: LINES_PER_ENTRY }, (_, n) => ({
    accountId: ids[(index * 7 + n * 13) % ids.length],
    [n % 2 === 0 ? 'debit' : 'credit']: `${(index % 900) + 1}.25`,
  }))
  return { transactionDate: day, status: 'posted', lines }
}
