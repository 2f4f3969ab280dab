/** Trial balance over 1,000,000 lines, in the middle of a month, against adding the lines up. */
import { call, median, type Scenario } from '../harness.ts'
import { MILLION_LINES, postMillionLines } from '../million.ts'

const ROUNDS = 15
const AIM_MS = 50

export const trialBalance: Scenario = {
  names: ['trial-balance-1m'],
  run: async (bench) => {
    const product = await bench.serve()
    const headers = await postMillionLines(product, 'MILLION')
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
        met: median(ours) <= AIM_MS && rows[0]?.count === MILLION_LINES,
        runs: ROUNDS,
        note: `${rows[0]?.count} lines`,
      },
    ]
  },
}
