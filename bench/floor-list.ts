/** The floor of `list-page`: bare Fastify and one prepared select of the same rows. */
import Fastify from 'fastify'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['FLOOR_DATABASE_URL'], max: 8 })
const app = Fastify()
const query = {
  name: 'page',
  text: `SELECT id, code, name, name_arabic AS "nameArabic", type, parent_id AS "parentId",
      control_account AS "controlAccount", posting_allowed AS "postingAllowed", currency, is_active AS "isActive",
      created_at AS "createdAt", updated_at AS "updatedAt"
    FROM masters.gl_account WHERE company_id = $1 AND deleted_at IS NULL ORDER BY code LIMIT 50 OFFSET $2`,
}
app.get('/', () => ({ status: 'ok' }))
app.get<{ Querystring: { company: string; offset: string } }>('/accounts', async (request) => {
  const { rows } = await pool.query({
    ...query,
    values: [request.query.company, Number(request.query.offset)],
  })
  return { success: true, data: { glAccounts: rows } }
})
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) })
process.once('SIGTERM', () => void app.close().then(() => pool.end()))
