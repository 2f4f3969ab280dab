/** Trial balance over 1,000,000 lines, in the middle of a month, against adding the lines up. */
import { call, median, PASSWORD, type Scenario } from '../harness.ts'

const LINES = 1_000_000
const LINES_PER_ENTRY = 10
const ENTRIES_PER_REQUEST = 1_000
const ROUNDS = 15
const AIM_MS = 50

export const trialBalance: Scenario = {
  names: ['trial-balance-1m'],
  run: async (bench) => {
    const product = await bench.serve()
    await product.createTenant('MILLION', PASSWORD)
    const headers = await product.signIn('MILLION')
    const accounts = await call(
      product.url,
      'GET',
      '/api/v1/masters/gl-accounts?controlAccount=none&postingAllowed=true&limit=200',
      headers,
    )
    const ids: string[] = accounts.data.glAccounts.map(({ id }: { id: string }) => id)
    const requests = LINES / LINES_PER_ENTRY / ENTRIES_PER_REQUEST
    for (let index = 0; index < requests; index++) {
      const body = {
        journalEntries: Array.from({ length: ENTRIES_PER_REQUEST }, (_, n) =>
          entry(ids, index * ENTRIES_PER_REQUEST + n),
        ),
      }
      await call(product.url, 'POST', '/api/v1/finance/journal-entries/bulk', headers, body)
    }
    const client = await bench.connect('erp_tenant_million')
    await client.query('VACUUM ANALYZE')
    const [ours, floor]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      let startedAt = performance.now()
      await client.query(
        `SELECT account_id, sum(debit), sum(credit) FROM finance.journal_line WHERE posting_date <= '2026-09-17' GROUP BY 1`,
      )
      floor.push(performance.now() - startedAt)
      startedAt = performance.now()
      const { data } = await call(
        product.url,
        'GET',
        '/api/v1/reports/trial-balance?asOf=2026-09-17',
        headers,
      )
      ours.push(performance.now() - startedAt)
      if (data.totalDebit !== data.totalCredit || data.rows.length < 10)
        throw new Error('The trial balance is wrong')
    }
    const { rows } = await client.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM finance.journal_line',
    )
    await client.end()
    await product.stop()
    return [
      {
        name: 'trial-balance-1m',
        unit: 'ms',
        ours: median(ours),
        floor: median(floor),
        ratio: median(ours) / median(floor),
        aim: `≤ ${AIM_MS} ms`,
        met: median(ours) <= AIM_MS && rows[0]?.count === LINES,
        runs: ROUNDS,
        note: `${rows[0]?.count} lines`,
      },
    ]
  },
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
