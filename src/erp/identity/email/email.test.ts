/** Mails in a user's name: through their own server, tested by them, and what becomes of those that fail. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sql } from 'kysely'
import { resendMail, listMails } from '../../../platform/mails/contract.ts'
import { SYSTEM } from '../../../server/product.ts'
import { tenantSql } from '../../../tenancy/handles.ts'
import { MailServer, refusal, startOddServer, type ReceivedMail } from '../../../testing/mail-server.ts'
import { readMail } from '../../../testing/mime.ts'
import { eventually } from '../../../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../../testing/product.ts'
import { addUser, type TestUser } from '../../../testing/users.ts'
import { listTenantMails, listUserMails, resendTenantMail } from '../../mail/contract.ts'
import { me, requestPasswordReset } from '../contract.ts'
import { listRoles } from '../roles/contract.ts'
import { createUser, updateUser, type UserData } from '../users/contract.ts'
import { deleteEmailSettings, testEmailSettings, updateEmailSettings } from './contract.ts'

const ofPlatform = new MailServer()
const ofUser = new MailServer()
let product: TestProduct
let tenant: TestTenant
let viewerId: string
let adminId: string

beforeAll(async () => {
  await Promise.all([ofPlatform.start(), ofUser.start()])
  product = await startTestProduct(
    {
      smtpUrl: ofPlatform.url,
      mailFrom: 'Solution ERP <no-reply@erp.example>',
      mailFirstPauseMs: 50,
      mailAttemptsMaximum: 3,
    },
    { visits: { lookEveryMs: 100, visitEveryMs: 200, quietMs: 5_000 } },
  )
  tenant = await product.createTenant({ country: 'EG', currency: 'EGP', chartTemplate: 'eg' })
  viewerId = (await tenant.admin.call(listRoles, { query: { search: 'Viewer' } })).ok().roles[0]?.id ?? ''
  adminId = (await tenant.admin.call(me)).ok().id
})
afterAll(async () => {
  await product.stop()
  await Promise.all([ofPlatform.stop(), ofUser.stop()])
})

let count = 0
/** Somebody new, invited by whoever asks. */
async function invite(client = tenant.admin): Promise<UserData> {
  const body = { fullName: `Guest ${++count}`, email: `guest-${count}@users.example`, roleId: viewerId }
  return (await client.call(createUser, { body })).ok()
}
const arrived = (server: MailServer, address: string): Promise<ReceivedMail> =>
  eventually(async () => {
    const mail = server.received.find(({ to }) => to.includes(address))
    expect(mail).toBeDefined()
    return mail!
  })
const use = async (userId: string, body: object = {}, client = tenant.admin) =>
  (
    await client.call(updateEmailSettings, {
      params: { id: userId },
      body: { host: '127.0.0.1', port: ofUser.port, security: 'none', ...body } as never,
    })
  ).ok()
const test_ = async (userId: string, client = tenant.admin) =>
  (await client.call(testEmailSettings, { params: { id: userId } })).ok()
const emailOf = async (client = tenant.admin) => (await client.call(me)).ok().email

describe('whose name and address', () => {
  test("without a server of their own: the platform's address, the user's name, answers to the user", async () => {
    const { email } = await invite()
    const mail = await arrived(ofPlatform, email)
    const { headers, html } = readMail(mail.raw)
    expect(mail.from).toBe('no-reply@erp.example')
    expect(headers.get('from')).toMatch(/^"?Ann Keeper \(Solution ERP\)"? <no-reply@erp\.example>$/)
    expect(headers.get('reply-to')).toBe(await emailOf())
    expect(html).toContain('dir="rtl"')
    // What nobody sends is the platform's alone.
    const other = await addUser(product, tenant, 'Viewer')
    const at = product.anonymous.with({ tenant: tenant.code })
    ;(await at.call(requestPasswordReset, { body: { email: other.email } })).ok()
    const reset = readMail((await arrived(ofPlatform, other.email)).raw).headers
    expect([reset.get('from'), reset.has('reply-to')]).toEqual(['Solution ERP <no-reply@erp.example>', false])
  })

  test('through their own server: their address and name, signature and footer, made harmless, in both forms', async () => {
    const settings = await use(adminId, {
      username: 'box@mail.example',
      password: 'secret',
      fromName: 'آن الحارسة',
      replyTo: 'desk@users.example',
      signatureHtml: '<p>مع <b>التحية</b></p><script>alert(1)</script><img src=x onerror=alert(1)>',
      footerHtml: '<a href="https://acme.example" onclick="x()">Acme</a><a href="javascript:x()">!</a>',
    })
    expect(settings.signatureHtml).toBe('<p>مع <b>التحية</b></p>')
    expect(settings.footerHtml).toBe('<a href="https://acme.example">Acme</a><a>!</a>')
    // As if it had been stored before there was a rule: it is looked at again when it is sent.
    const entry = await product.directory.byId(tenant.id)
    await product.gate.writeTenant(entry!.location, null, SYSTEM, (tx) =>
      tx.run(
        sql`UPDATE core.user_email_settings SET signature_html = signature_html || '<script>alert(2)</script>'
          WHERE user_id = ${adminId}`.compile(tenantSql),
      ),
    )
    const { email } = await invite()
    const mail = await arrived(ofUser, email)
    expect(ofPlatform.received.filter(({ to }) => to.includes(email))).toEqual([])
    const { headers, text, html } = readMail(mail.raw)
    expect([mail.from, mail.user]).toEqual(['box@mail.example', 'box@mail.example'])
    expect(headers.get('from')).toBe(`آن الحارسة <${await emailOf()}>`)
    expect(headers.get('sender')).toBe('box@mail.example')
    expect(headers.get('reply-to')).toBe('desk@users.example')
    expect(html).toContain('<b>التحية</b>')
    expect(html).not.toMatch(/<script|onerror|onclick|javascript:/)
    expect(text.replaceAll('\r\n', '\n')).toMatch(/-- \nمع التحية\n\nAcme \(https:\/\/acme\.example\)!/)
  })

  test('always use sender: the server is told nothing but their own address', async () => {
    await use(adminId, { alwaysUseSender: true })
    const { email } = await invite()
    const mail = await arrived(ofUser, email)
    expect(mail.from).toBe(await emailOf())
    expect(readMail(mail.raw).headers.has('sender')).toBe(false)
  })

  test('a name that would begin a header is refused, in the settings and in the user', async () => {
    const body = { fromName: 'Ann\r\nBcc: all@b.example' }
    const params = { id: adminId }
    expect((await tenant.admin.call(updateEmailSettings, { params, body })).status).toBe(400)
    expect((await tenant.admin.call(updateUser, { params, body: { fullName: body.fromName } })).status).toBe(
      400,
    )
    expect((await tenant.admin.call(updateEmailSettings, { params, body: { replyTo: 'a@b.example, c@d.example' } })).status).toBe(400) // prettier-ignore
  })

  test('of somebody who works here no more nothing carries the name or goes through their server', async () => {
    const keeper = await addUser(product, tenant, 'Administrator')
    await use(keeper.id)
    ofUser.onRecipient = () => {
      throw refusal(451, 'later')
    }
    const { email } = await invite(keeper.client)
    const params = { id: keeper.id }
    const given = await eventually(async () => {
      const { mails } = (await tenant.admin.call(listUserMails, { params })).ok()
      expect(mails[0]?.state).toBe('dead')
      return mails[0]!
    })
    ofUser.onRecipient = () => {}
    ;(await tenant.admin.call(updateUser, { params, body: { status: 'inactive' } })).ok()
    ;(await tenant.admin.call(resendTenantMail, { params: { id: given.id } })).ok()
    const { headers } = readMail((await arrived(ofPlatform, email)).raw)
    expect(headers.get('from')).toBe('Solution ERP <no-reply@erp.example>')
    expect(ofUser.received.filter(({ to }) => to.includes(email))).toEqual([])
  })
})

describe('what cannot be sent', () => {
  let sender: TestUser
  const mailsOf = async (user: TestUser, client = user.client) =>
    (await client.call(listUserMails, { params: { id: user.id } })).ok().mails

  beforeAll(async () => {
    sender = await addUser(product, tenant, 'Administrator')
    await use(sender.id, {}, sender.client)
  })

  test('for now is tried again, and arrives', async () => {
    let refusals = 2
    ofUser.onRecipient = () => {
      if (refusals-- > 0) throw refusal(451, 'try later')
    }
    const { email } = await invite(sender.client)
    await arrived(ofUser, email)
    const [mail] = await eventually(async () => {
      const mails = await mailsOf(sender)
      expect(mails[0]?.state).toBe('sent')
      return mails
    })
    expect(mail).toMatchObject({ recipient: email, attempts: 3, template: 'invitation', canBeResent: false })
  })

  test('for good is given up, with the reason, to be seen by its sender and by administrators; sent again by hand', async () => {
    ofUser.onRecipient = () => {
      throw refusal(550, 'no such box here')
    }
    const { email } = await invite(sender.client)
    const dead = await eventually(async () => {
      const mails = await mailsOf(sender)
      expect(mails[0]).toMatchObject({ recipient: email, state: 'dead' })
      return mails[0]!
    })
    expect(dead).toMatchObject({ attempts: 1, canBeResent: true, senderId: sender.id, sender: 'Administrator Person' }) // prettier-ignore
    expect(dead.lastError).toMatch(
      /^The mail server 127\.0\.0\.1:\d+ did not accept the recipient: 550 no such box here$/,
    )
    const query = { status: 'dead', search: email } as const
    const { mails } = (await tenant.admin.call(listTenantMails, { query })).ok()
    expect(mails).toEqual([dead])
    expect(JSON.stringify(mails)).not.toMatch(/token=|content/i)
    const other = await addUser(product, tenant, 'Sales')
    expect((await other.client.call(listTenantMails)).status).toBe(403)
    expect((await other.client.call(listUserMails, { params: { id: sender.id } })).status).toBe(403)
    expect((await other.client.call(listUserMails, { params: { id: other.id } })).ok().mails).toEqual([])
    const viewer = await addUser(product, tenant, 'Viewer')
    const params = { id: dead.id }
    expect((await viewer.client.call(listTenantMails, { query })).ok().mails).toEqual([dead])
    expect((await viewer.client.call(resendTenantMail, { params })).status).toBe(403)
    // Operators know of it too, and hear when it has gone after all.
    const seen = async () =>
      (await product.operator.call(listMails, { query: { search: email } })).ok().mails[0]
    expect(await seen()).toMatchObject({ id: dead.id, state: 'dead', canBeResent: true })
    ofUser.onRecipient = () => {}
    ;(await tenant.admin.call(resendTenantMail, { params })).ok()
    const mail = await arrived(ofUser, email)
    expect(readMail(mail.raw).headers.get('message-id')).toContain(dead.id)
    await eventually(async () => expect((await seen())?.state).toBe('sent'))
    const again = await tenant.admin.call(resendTenantMail, { params })
    expect(again.error.code).toBe('NOT_TO_BE_RESENT')
    expect((await tenant.admin.call(resendTenantMail, { params: { id: adminId } })).status).toBe(404)
    const entry = await product.directory.byId(tenant.id)
    const audited = await product.gate.readTenant(entry!.location, null, SYSTEM, (tx) =>
      tx.rows(
        sql<{ actor_id: string; new_values: object }>`SELECT actor_id, new_values FROM audit.change
        WHERE entity = 'core.mail'`.compile(tenantSql),
      ),
    )
    expect(audited.map(({ actor_id }) => actor_id)).toContain(adminId)
    expect(JSON.stringify(audited)).not.toContain('sealed_content')
  })

  test('operators send it again, too; an invitation that has expired nobody does', async () => {
    ofUser.onRecipient = () => {
      throw refusal(550, 'no')
    }
    const { email } = await invite(sender.client)
    const { id } = await eventually(async () => {
      const mails = await mailsOf(sender)
      expect(mails[0]).toMatchObject({ recipient: email, state: 'dead' })
      return mails[0]!
    })
    ofUser.onRecipient = () => {}
    const entry = await product.directory.byId(tenant.id)
    const expire = (at: string) =>
      product.gate.writeTenant(entry!.location, null, SYSTEM, (tx) =>
        tx.run(sql`UPDATE core.mail SET expires_at = ${at} WHERE id = ${id}`.compile(tenantSql)),
      )
    await expire('2020-01-01')
    for (const refused of [
      await product.operator.call(resendMail, { params: { id } }),
      await tenant.admin.call(resendTenantMail, { params: { id } }),
    ]) {
      expect(refused.error.code).toBe('NOT_TO_BE_RESENT')
    }
    await expire('2100-01-01') // control
    ;(await product.operator.call(resendMail, { params: { id } })).ok()
    await arrived(ofUser, email)
  })

  test('since the password is wrong is tried again, and says so', async () => {
    await use(sender.id, { username: 'ann', password: 'wrong' }, sender.client)
    await invite(sender.client)
    const dead = await eventually(async () => {
      const mails = await mailsOf(sender)
      expect(mails[0]?.state).toBe('dead')
      return mails[0]!
    })
    expect(dead.attempts).toBe(3)
    expect(dead.lastError).toMatch(/did not accept the user name and password: 535/)
  })
})

describe('the test of a mail server', () => {
  test('goes to whoever asks, through the server of the settings', async () => {
    const user = await addUser(product, tenant, 'Sales')
    expect((await user.client.call(testEmailSettings, { params: { id: user.id } })).status).toBe(404)
    await use(user.id, { signatureHtml: '<p>Sales desk</p>' }, user.client)
    expect(await test_(user.id, user.client)).toMatchObject({ outcome: 'sent', recipient: user.email })
    const { headers, text } = readMail((await arrived(ofUser, user.email)).raw)
    expect(headers.get('from')).toContain(`<${user.email}>`)
    expect(text).toContain('Sales desk')
    expect(await test_(user.id)).toMatchObject({ outcome: 'sent', recipient: await emailOf() }) // an administrator's
    const other = await addUser(product, tenant, 'Sales')
    expect((await other.client.call(testEmailSettings, { params: { id: user.id } })).status).toBe(403)
    ;(await user.client.call(deleteEmailSettings, { params: { id: user.id } })).ok()
  })

  test('says in words what is wrong, and nothing of the secrets', async () => {
    const user = await addUser(product, tenant, 'Sales')
    const outcomeOf = async (settings: object) => {
      await use(user.id, settings, user.client)
      return test_(user.id, user.client)
    }
    const password = 'Canary-of-the-test-send'
    const chatty = await new MailServer().start({
      onAuth: (auth, _session, done) => done(refusal(535, `"${auth.password}" is wrong`)),
    })
    const signIn = await outcomeOf({ port: chatty.port, username: 'ann', password })
    expect(signIn).toMatchObject({ outcome: 'sign-in', serverAnswer: expect.stringContaining('535') })
    expect(JSON.stringify(signIn)).not.toContain(password)
    await chatty.stop()
    expect(
      await outcomeOf({ port: ofUser.port, security: 'tls', username: null, password: null }),
    ).toMatchObject({
      outcome: 'encryption',
    })
    ofUser.onRecipient = () => {
      throw refusal(550, 'not you')
    }
    expect(await outcomeOf({ security: 'none' })).toMatchObject({
      outcome: 'recipient',
      serverAnswer: expect.stringContaining('not you'),
    })
    ofUser.onRecipient = () => {}
    const other = await startOddServer((socket) => socket.end('SSH-2.0-Canary\r\n'))
    const odd = await outcomeOf({ port: other.port })
    expect(odd).toMatchObject({ outcome: 'unreachable', serverAnswer: null })
    expect(JSON.stringify(odd)).not.toContain('Canary')
    await other.stop()
  })

  test('a password sealed with a key that is lost is asked for again', async () => {
    const user = await addUser(product, tenant, 'Sales')
    await use(user.id, { username: 'ann', password: 'secret' }, user.client)
    const entry = await product.directory.byId(tenant.id)
    await product.gate.writeTenant(entry!.location, null, SYSTEM, (tx) =>
      tx.run(
        sql`UPDATE core.user_email_settings SET sealed_password = 'v1.00000000.AAAA' WHERE user_id = ${user.id}`.compile(
          tenantSql,
        ),
      ),
    )
    expect(await test_(user.id, user.client)).toMatchObject({
      outcome: 'sign-in',
      message: expect.stringContaining('enter it again'),
    })
  })

  test('a server that never answers is not waited for', async () => {
    const user = await addUser(product, tenant, 'Sales')
    const silent = await startOddServer(() => {})
    await use(user.id, { port: silent.port }, user.client)
    const startedAt = performance.now()
    expect(await test_(user.id, user.client)).toMatchObject({ outcome: 'unreachable' })
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    await silent.stop()
  })
})
