/** No secret is in either log, and no table is without one: of what was done, and of the catalogue itself. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { query } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { mailedTo } from '../../testing/mailed.ts'
import { ADMIN_PASSWORD, signIn, startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts' // prettier-ignore
import { addUser } from '../../testing/users.ts'
import { changePassword, login, refresh, requestPasswordReset, resetPassword } from '../identity/contract.ts'
import { listRoles } from '../identity/roles/contract.ts'
import { updateEmailSettings } from '../identity/email/contract.ts'
import { createUser, inviteUser } from '../identity/users/contract.ts'

let product: TestProduct
let tenant: TestTenant
let at: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

describe('secrets', () => {
  test('are in no row of either log, whatever is done with them', { timeout: 120_000 }, async () => {
    const secrets = ['Harvest-Moon-47!', 'Winter-Leaf-58!', 'Spring-Rain-69!', 'Smtp-secret-71!', 'First-one-82!', 'Wrong-one-93!', ADMIN_PASSWORD] // prettier-ignore
    const [changed, reset, invited, smtp, first, wrong] = secrets as [
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    const { roles } = (await tenant.admin.call(listRoles, { query: { search: 'Viewer' } })).ok()
    const roleId = roles[0]!.id
    const user = await addUser(product, tenant, 'Viewer')
    const tokens = [user.client.options.token!, user.refreshToken]
    ;(
      await user.client.call(changePassword, {
        body: { currentPassword: ADMIN_PASSWORD, newPassword: changed },
      })
    ).ok()
    const session = await signIn(at, user.email, changed)
    tokens.push(session.client.options.token!, session.refreshToken)
    const renewed = (await at.call(refresh, { body: { refreshToken: session.refreshToken } })).ok()
    tokens.push(renewed.token, renewed.refreshToken)
    for (const password of [smtp, `${smtp}2`]) {
      const body = {
        host: 'smtp.somewhere.example',
        port: 587,
        security: 'tls',
        username: 'me',
        password,
      } as const
      ;(await tenant.admin.call(updateEmailSettings, { params: { id: user.id }, body })).ok()
    }
    await at.call(requestPasswordReset, { body: { email: user.email } })
    const [mail] = await mailedTo(product, tenant.id, user.email)
    tokens.push(mail!.token)
    ;(await at.call(resetPassword, { body: { token: mail!.token, password: reset } })).ok()
    await at.call(resetPassword, { body: { token: mail!.token, password: wrong } })
    await at.call(login, { body: { email: user.email, password: wrong } })
    const made = (await tenant.admin.call(createUser, { body: { fullName: 'Guest One', email: `one-${user.email}`, roleId } })).ok() // prettier-ignore
    ;(await tenant.admin.call(createUser, { body: { fullName: 'Guest Two', email: `two-${user.email}`, roleId, password: first } })).ok() // prettier-ignore
    ;(await tenant.admin.call(inviteUser, { params: { id: made.id } })).ok()
    const [invitation] = await mailedTo(product, tenant.id, `one-${user.email}`)
    tokens.push(invitation!.token)
    ;(await at.call(resetPassword, { body: { token: invitation!.token, password: invited } })).ok()
    await tenant.admin.send('POST', '/api/v1/users/invitations', `fullName,email,role\nBulk,bulk-${user.email},Viewer`, { 'content-type': 'text/csv' }) // prettier-ignore
    await product.refusals.write()

    const hashes = await query<{ secret: string }>(
      product,
      tenant,
      `SELECT password_hash AS secret FROM core.app_user WHERE password_hash IS NOT NULL
       UNION ALL SELECT unnest(previous_password_hashes) FROM core.app_user
       UNION ALL SELECT encode(token_hash, 'hex') FROM core.password_token
       UNION ALL SELECT encode(refresh_hash, 'hex') FROM core.session
       UNION ALL SELECT sealed_password FROM core.user_email_settings
       UNION ALL SELECT sealed_content FROM core.mail WHERE sealed_content IS NOT NULL`,
    )
    const known = [...secrets, ...tokens, ...hashes.map(({ secret }) => secret)]
    expect(known.length).toBeGreaterThan(20)
    const ours = await query<{ line: string }>(product, tenant, 'SELECT c::text AS line FROM audit.change c')
    const platforms = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(sql<{ line: string }>`SELECT e::text AS line FROM platform.audit_event e`.compile(platformSql)),
    )
    const found = (lines: readonly string[]) =>
      known.filter((secret) => lines.some((line) => line.includes(secret)))
    expect(found([...ours, ...platforms].map(({ line }) => line))).toEqual([])
    // Controls: what was done is there, without its secret; and a secret would be noticed.
    const text = ours.map(({ line }) => line).join('\n')
    expect(text).toContain('smtp.somewhere.example')
    expect(text).toMatch(/sealed_password[": ]+\(changed\)/)
    expect(text).toMatch(/password_hash[": ]+\(changed\)/)
    const [leaking] = await query<{ line: string }>(product, tenant, `SELECT to_jsonb(u)::text AS line FROM core.app_user u WHERE id = $1`, [user.id]) // prettier-ignore
    expect(found([leaking!.line]).length).toBeGreaterThan(0)
  })
})

describe('the catalogue', () => {
  /** Tables whose changes are not recorded row by row, and why. */
  const EXCEPTIONS: Readonly<Record<string, string>> = {
    'audit.change': 'the log itself',
    'audit.seal': 'the chain over the log',
    'core.idempotency_key': 'answers that were given; nothing of the business',
    'core.mail': 'the outbox: what caused a mail is recorded, and its content is a secret',
    'core.password_token': 'links to set a password: asking for one and using it are',
    'core.session': 'signing in and out, by triggers of its own',
    'core.single_sign_on_attempt': 'ways to an identity provider that were begun: coming back is a sign-in',
    'finance.account_balance': 'the sums of journal lines',
    'finance.journal_entry': 'posting and reversing, by the statement that posts',
    'finance.journal_line': 'append-only, and never without its entry',
    'finance.number_series': 'the newest number, which its entry has',
    'migrations.migration': 'which migrations the database has; by the migrator alone',
    'masters.entity_total': 'the number of rows of masters',
  }

  interface Table {
    readonly name: string
    readonly columns: readonly { name: string; type: string }[]
    readonly triggers: readonly { function: string; events: number; arguments: string }[]
  }

  async function tables(): Promise<Table[]> {
    return query<Table>(
      product,
      tenant,
      `SELECT format('%s.%s', n.nspname, c.relname) AS name,
         (SELECT json_agg(json_build_object('name', attname, 'type', format_type(atttypid, NULL)))
          FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
         (SELECT coalesce(json_agg(json_build_object('function', t.tgfoid::regproc::text, 'events', t.tgtype::int & 28,
             'arguments', encode(t.tgargs, 'escape'))), '[]')
          FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D') AS triggers
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public') ORDER BY 1`,
    )
  }
  const EVERY_CHANGE = 4 | 8 | 16 // INSERT, DELETE, UPDATE of pg_trigger.tgtype

  function unrecorded(all: readonly Table[]): string[] {
    return all
      .filter(({ name }) => !(name in EXCEPTIONS))
      .filter(({ triggers }) => {
        const events = triggers
          .filter((trigger) => ['audit.record_change', 'audit.record_lines'].includes(trigger.function))
          .reduce((all, trigger) => all | trigger.events, 0)
        return events !== EVERY_CHANGE
      })
      .map(({ name }) => name)
  }

  const SECRET = /password|secret|token|hash|sealed/
  function unhidden(all: readonly Table[]): string[] {
    return all.flatMap(({ name, columns, triggers }) => {
      const recording = triggers.filter((trigger) => trigger.function === 'audit.record_change')
      return columns
        .filter((column) => SECRET.test(column.name) && /^(text|bytea|json)/.test(column.type))
        .filter((column) =>
          recording.some((trigger) => !trigger.arguments.split('\\000').includes(column.name)),
        )
        .map((column) => `${name}.${column.name}`)
    })
  }

  test('every table that users change is recorded, or it is said why not', async () => {
    const all = await tables()
    expect(unrecorded(all)).toEqual([])
    expect(Object.keys(EXCEPTIONS).filter((name) => !all.some((table) => table.name === name))).toEqual([])
  })

  test('no column named like a secret is recorded', async () => {
    expect(unhidden(await tables())).toEqual([])
  })

  test('controls: a table without the trigger, one that forgets an event, and one that tells a secret are named', async () => {
    const other = await product.createTenant()
    const kept = tenant
    tenant = other
    try {
      await query(
        product,
        other,
        `CREATE TABLE core.forgotten (id uuid);
         CREATE TABLE core.half (id uuid);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE ON core.half FOR EACH ROW EXECUTE FUNCTION audit.record_change();
         CREATE TABLE core.teller (id uuid, api_token text, is_secret boolean, password_changed_at timestamptz, key_hash bytea);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON core.teller
           FOR EACH ROW EXECUTE FUNCTION audit.record_change('key_hash');`,
      )
      expect(unrecorded(await tables())).toEqual(['core.forgotten', 'core.half'])
      expect(unhidden(await tables())).toEqual(['core.teller.api_token'])
    } finally {
      tenant = kept
    }
  })
})
