/** From the transaction that causes a mail to the server that takes it, on good days and bad ones. */
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { resetPassword } from '../../erp/identity/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import type { NewMail } from '../../mail/outbox.ts'
import { MailServer, refusal } from '../../testing/mail-server.ts'
import { Client } from '../../testing/client.ts'
import { eventually, startProcess } from '../../testing/process.ts'
import {
  OPERATOR,
  signIn,
  startTestProduct,
  tenantBody,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { operatorLogin } from '../operators/contract.ts'
import { createTenant } from '../tenants/contract.ts'
import { getMail, listMails } from './contract.ts'

const server = new MailServer()
const environment = testEnvironment()
let product: TestProduct
let tenant: TestTenant
let platform: pg.Client

beforeAll(async () => {
  await server.start()
  platform = new pg.Client({ connectionString: environment['DATABASE_URL'] })
  product = await startTestProduct(
    {
      databaseUrl: environment['DATABASE_URL'],
      smtpUrl: server.url,
      mailFirstPauseMs: 50,
      mailAttemptsMaximum: 3,
    },
    { visits: { lookEveryMs: 100, visitEveryMs: 200, quietMs: 1_500 } },
  )
  await platform.connect()
  tenant = await product.createTenant()
})
afterAll(async () => {
  await platform?.end()
  await product?.stop()
  await server.stop()
})

function mailsTo(address: string) {
  return server.received.filter(({ to }) => to.includes(address))
}

function decoded(raw: string): string {
  return raw.replaceAll(/=\r?\n/g, '').replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) // prettier-ignore
}

function messageIdOf(raw: string): string | undefined {
  return /^Message-ID: (.*)$/im.exec(raw)?.[1]
}

function testMail(to: string, more: Partial<NewMail> = {}): NewMail<'test'> {
  return { template: 'test', language: 'en', values: { fullName: 'Ann' }, to, ...more } as NewMail<'test'>
}

async function enqueue(mail: NewMail, fails = false): Promise<void> {
  const entry = await product.directory.byId(tenant.id)
  if (!entry) throw new Error('no tenant')
  await product.gate.writeTenant(entry.location, null, SYSTEM, async (tx) => {
    await product.mails.tenant.enqueue(tx, mail)
    if (fails) throw new Error('the change failed')
  })
}

async function tenantRows(recipient: string) {
  const client = new pg.Client({ connectionString: environment['DATABASE_URL']?.replace(/[^/]*$/, `erp_tenant_${tenant.code.toLowerCase()}`) }) // prettier-ignore
  await client.connect()
  const { rows } = await client.query('SELECT * FROM core.mail WHERE recipient = $1', [recipient])
  await client.end()
  return rows
}

test('a new tenant is welcomed once, with a link that sets the password; nothing of it stays readable', async () => {
  const { adminPassword: _, ...body } = tenantBody()
  const made = (await product.operator.call(createTenant, { body })).ok()
  const [mail] = await eventually(async () => {
    const mails = mailsTo(body.adminEmail)
    expect(mails).toHaveLength(1)
    return mails
  })
  const token = /token=([\w-]+)/.exec(decoded(mail?.raw ?? ''))?.[1]
  expect(token).toBeDefined()
  const anonymous = product.anonymous.with({ tenant: made.tenant.tenantCode })
  const password = 'Chosen-pass-2!'
  ;(await anonymous.call(resetPassword, { body: { token: token ?? '', password } })).ok()
  await signIn(anonymous, body.adminEmail, password)
  await eventually(async () => {
    const { rows } = await platform.query(`SELECT * FROM platform.mail WHERE recipient = $1`, [body.adminEmail]) // prettier-ignore
    expect(rows).toMatchObject([{ state: 'sent', attempts: 1, sealed_content: null }])
    expect(JSON.stringify(rows)).not.toContain(token)
  })
})

test('a mail leaves when its change commits, and not when it fails', async () => {
  await enqueue(testMail('undone@b.example'), true).catch(() => {})
  await enqueue(testMail('done@b.example'))
  await eventually(async () => expect(mailsTo('done@b.example')).toHaveLength(1))
  expect(mailsTo('undone@b.example')).toHaveLength(0)
  await eventually(async () => expect(await tenantRows('done@b.example')).toMatchObject([{ state: 'sent', sealed_content: null }])) // prettier-ignore
})

test('what waits is sealed: neither link nor name can be read in the database', async () => {
  server.onRecipient = () => {
    throw refusal(451, 'later')
  }
  const mail: NewMail<'reset-password'> = {
    ...testMail('sealed@b.example'),
    template: 'reset-password',
    values: { fullName: 'Canary-Name', link: 'https://a.example/?token=Canary-Token', minutes: 60 },
  }
  await enqueue(mail)
  const rows = await tenantRows('sealed@b.example')
  expect(rows).toHaveLength(1)
  expect(JSON.stringify(rows)).not.toContain('Canary')
  const { text } = product.mails.tenant.open(rows[0].id, rows[0].sealed_content)
  expect(text).toContain('Canary-Token') // the control: it is in there
  server.onRecipient = () => {}
  await eventually(async () => expect(mailsTo('sealed@b.example')).toHaveLength(1))
})

test('refused for now: tried again under the same Message-ID; for good or too often: dead, and operators see why', async () => {
  let refusals = 2
  server.onRecipient = (address) => {
    if (address === 'later@b.example' && refusals-- > 0) throw refusal(451, 'try later')
    if (address === 'gone@b.example') throw refusal(550, 'no such user here')
    if (address === 'never@b.example') throw refusal(451, 'never mind')
  }
  for (const name of ['later', 'gone', 'never']) await enqueue(testMail(`${name}@b.example`))
  await enqueue({ ...testMail('old@b.example'), expiresAt: new Date(Date.now() - 1_000) })
  await eventually(async () => expect(mailsTo('later@b.example')).toHaveLength(1))
  const dead = await eventually(async () => {
    const { mails } = (
      await product.operator.call(listMails, { query: { status: 'dead', tenantId: tenant.id } })
    ).ok()
    expect(mails).toHaveLength(3)
    return mails
  })
  const reasons = Object.fromEntries(dead.map(({ recipient, lastError, attempts }) => [recipient, `${attempts} ${lastError}`])) // prettier-ignore
  expect(reasons['gone@b.example']).toMatch(/^1 .*no such user here/)
  expect(reasons['never@b.example']).toMatch(/^3 .*never mind/)
  expect(reasons['old@b.example']).toMatch(/^1 .*expired/)
  server.onRecipient = () => {}
})

test('a tenant that left something is visited until it is quiet, then no more', async () => {
  await enqueue(testMail('quiet@b.example'))
  const marks = async () =>
    (await platform.query('SELECT FROM platform.tenant_visit WHERE tenant_id = $1', [tenant.id])).rowCount
  expect(await marks()).toBe(1)
  await eventually(async () => expect(await marks()).toBe(0))
})

test('a copy of a tenant writes to nobody', async () => {
  await platform.query('ALTER TABLE platform.tenant ADD COLUMN IF NOT EXISTS is_neutralised boolean NOT NULL DEFAULT false') // prettier-ignore
  await platform.query('UPDATE platform.tenant SET is_neutralised = true WHERE id = $1', [tenant.id])
  await enqueue(testMail('copy@b.example'))
  await eventually(async () => expect(await tenantRows('copy@b.example')).toMatchObject([{ state: 'dead' }]))
  expect(mailsTo('copy@b.example')).toHaveLength(0)
  await platform.query('UPDATE platform.tenant SET is_neutralised = false WHERE id = $1', [tenant.id])
  await enqueue(testMail('copy@b.example')) // the control
  await eventually(async () => expect(mailsTo('copy@b.example')).toHaveLength(1))
})

test('killed between sending and marking: sent again by the next process, under the same Message-ID', async () => {
  const own = testEnvironment({ SMTP_URL: server.url, MAIL_FIRST_PAUSE_MS: '50' })
  const first = await startProcess(own)
  const anonymous = new Client(first.url)
  const { token } = (await anonymous.call(operatorLogin, { body: OPERATOR })).ok()
  const body = tenantBody()
  const killed = new Promise<void>((resolve) => {
    server.onData = async (mail) => {
      if (!mail.to.includes(body.adminEmail)) return
      server.onData = () => {}
      await first.kill()
      resolve()
    }
  })
  anonymous.with({ token }).call(createTenant, { body }).catch(() => {}) // prettier-ignore
  await killed
  const database = new pg.Client({ connectionString: own['DATABASE_URL'] })
  await database.connect()
  // What the process had claimed stays claimed for two minutes: they pass.
  const { rows } = await database.query(
    `UPDATE platform.mail SET next_attempt_at = now() WHERE recipient = $1 RETURNING state, attempts`,
    [body.adminEmail],
  )
  expect(rows).toEqual([{ state: 'queued', attempts: 1 }])
  await database.end()
  const second = await startProcess(own)
  const mails = await eventually(async () => {
    expect(mailsTo(body.adminEmail)).toHaveLength(2)
    return mailsTo(body.adminEmail)
  })
  expect(messageIdOf(mails[0]?.raw ?? '')).toBeDefined()
  expect(messageIdOf(mails[1]?.raw ?? '')).toBe(messageIdOf(mails[0]?.raw ?? ''))
  await second.stop()
})

test('without a mail server, outside production, mails are kept and operators read them', async () => {
  const own = testEnvironment()
  const process_ = await startProcess(own)
  const anonymous = new Client(process_.url)
  const { token } = (await anonymous.call(operatorLogin, { body: OPERATOR })).ok()
  const operator = anonymous.with({ token })
  const { adminPassword: _, ...body } = tenantBody({ country: 'EG', currency: 'EGP', chartTemplate: 'eg' })
  ;(await operator.call(createTenant, { body })).ok()
  const mail = await eventually(async () => {
    const { mails } = (await operator.call(listMails, { query: { search: body.adminEmail } })).ok()
    expect(mails).toMatchObject([{ state: 'kept', language: 'ar', template: 'welcome' }])
    return mails[0]
  })
  const { content } = (await operator.call(getMail, { params: { id: mail?.id ?? '' } })).ok()
  expect(content?.html).toContain('dir="rtl"')
  expect(content?.text).toContain('/set-password?token=')
  expect((await anonymous.call(listMails)).error.code).toBe('AUTH_REQUIRED')
  await process_.stop()
})
