/** A page of 50 of 10,000 accounts, against bare Fastify with one prepared select of the same rows. */
import {
  call,
  interleaved,
  PASSWORD,
  request,
  throughput,
  throughputFigure,
  type Scenario,
} from '../harness.ts'

const ACCOUNTS = 10_000
const AT_ONCE = 8
const ROUND_MS = 3_000
const ROUNDS = 7
const PAGES = ACCOUNTS / 50
const AIM = 0.8

export const listPage: Scenario = {
  names: ['list-page'],
  run: async (bench) => {
    const product = await bench.serve()
    await product.createTenant('LISTING', PASSWORD)
    const headers = await product.signIn('LISTING')
    const { data: me } = await call(product.url, 'GET', '/api/v1/auth/me', headers)
    const client = await bench.connect('erp_tenant_listing')
    await client.query(
      `INSERT INTO masters.gl_account (company_id, code, name, type)
       SELECT $1, 'B' || to_char(n, 'FM00000'), 'Bench account ' || n, 'asset'
       FROM generate_series(1, $2::int - (SELECT count(*)::int FROM masters.gl_account)) n`,
      [me.companyId, ACCOUNTS],
    )
    await client.query('VACUUM ANALYZE masters.gl_account')
    await client.end()
    const database = new URL(bench.adminUrl)
    database.pathname = '/erp_tenant_listing'
    const floor = await bench.serveFloor('floor-list.ts', { FLOOR_DATABASE_URL: database.href })
    let turn = 0
    const page = (): number => turn++ % PAGES
    const ours = async (): Promise<void> => {
      await expect200(
        request(product.url, 'GET', `/api/v1/masters/gl-accounts?limit=50&page=${page() + 1}`, headers),
      )
    }
    const bare = async (): Promise<void> => {
      await expect200(
        request(floor.url, 'GET', `/accounts?company=${me.companyId}&offset=${page() * 50}`, {}),
      )
    }
    await throughput(AT_ONCE, ROUND_MS, ours)
    await throughput(AT_ONCE, ROUND_MS, bare)
    const figures = await interleaved(
      ROUNDS,
      () => throughput(AT_ONCE, ROUND_MS, ours),
      () => throughput(AT_ONCE, ROUND_MS, bare),
    )
    await floor.stop()
    await product.stop()
    return [throughputFigure('list-page', 'pages/s', figures, AIM, ROUNDS)]
  },
}

async function expect200(answer: Promise<{ status: number; text: string }>): Promise<void> {
  const { status, text } = await answer
  if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`)
}
