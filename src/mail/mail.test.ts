/** Messages, templates and the transport by themselves, the transport against a real SMTP server. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MailServer, refusal, startOddServer } from '../testing/mail-server.ts'
import { headerText, mailAddress } from './message.ts'
import { render } from './templates.ts'
import { isPublicAddress, MailRefused, send, serverOfUrl, type SmtpServer } from './transport.ts'

const server = new MailServer()
beforeAll(() => server.start())
afterAll(() => server.stop())

const envelope = (to: string) => ({
  messageId: `<${to}>`,
  from: { name: 'Solution ERP', address: 'no-reply@erp.example' },
  to,
})
const content = { subject: 'Hello', html: '<p>Hello</p>', text: 'Hello' }
const rules = { allowPrivateHosts: true, timeoutMs: 1_500 }
const at = (port: number): SmtpServer => ({
  host: '127.0.0.1',
  port,
  security: 'none',
  user: null,
  password: null,
  isTrusted: false,
})

test('addresses and subjects that would begin another header or recipient are refused', () => {
  expect(mailAddress("o'brien+erp@mail.example")).toBe("o'brien+erp@mail.example")
  const evil = [
    'a@b.example\r\nBcc: all@b.example',
    'a@b.example\nX: y',
    'a@b.example, c@b.example',
    'Ann <a@b.example>',
    '"a@x"@b.example',
    'a@b.example;c@b.example',
    'a@b.example\u2028',
    '@b.example',
    'a@',
  ]
  for (const address of evil) expect(() => mailAddress(address), address).toThrow(/address/)
  expect(() => headerText('Hello\r\nBcc: all@b.example', 'subject')).toThrow(/line break/)
})

test('a name with HTML or a line break stays text; both languages say the same in HTML and plain', () => {
  const values = { fullName: '<img src=x onerror=alert(1)>', link: 'https://a.example/?t=1&u=2', minutes: 60 }
  for (const language of ['en', 'ar'] as const) {
    const { html, text } = render('reset-password', language, values)
    expect(html).not.toContain('<img')
    expect(html).toContain('&lt;img src=x')
    expect(html).toContain(`dir="${language === 'ar' ? 'rtl' : 'ltr'}"`)
    expect(html).toContain('href="https://a.example/?t=1&amp;u=2"')
    expect(text).toContain('https://a.example/?t=1&u=2')
    expect(text).toContain('60')
  }
  expect(() =>
    render('invitation', 'en', {
      ...values,
      inviterName: 'Ann',
      companyName: 'Acme\r\nBcc: all@b.example',
      hours: 1,
    }),
  ).toThrow(/line break/)
  expect(() => render('reset-password', 'en', { ...values, link: 'javascript:alert(1)' })).toThrow(/web/)
})

test('what is not in the public Internet is known for it, however it is written', () => {
  const inside = [
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'nonsense',
  ]
  for (const address of inside) expect(isPublicAddress(address), address).toBe(false)
  for (const address of ['93.184.216.34', '8.8.8.8', '2a00:1450:4001::1', '::ffff:8.8.8.8', '172.32.0.1'])
    expect(isPublicAddress(address), address).toBe(true)
})

test("a user's server next door is refused where it must be public, by number and by name; the operator's is not", async () => {
  const strict = { ...rules, allowPrivateHosts: false }
  const before = server.received.length
  for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f.1']) {
    const sent = send({ ...at(server.port), host }, envelope('a@b.example'), content, strict)
    await expect(sent, host).rejects.toThrow(/public Internet|not found/)
  }
  expect(server.received).toHaveLength(before)
  // The control: the same server does take mail, and the rule is about whose it is.
  await send(at(server.port), envelope('a@b.example'), content, rules)
  await send({ ...at(server.port), isTrusted: true }, envelope('a@b.example'), content, strict)
  expect(server.received).toHaveLength(before + 2)
})

test('a mail arrives with its Message-ID, plain text beside HTML', async () => {
  await send(at(server.port), envelope('ann@b.example'), { ...content, subject: 'مرحبًا' }, rules)
  const mail = server.received.at(-1)
  expect(mail).toMatchObject({ from: 'no-reply@erp.example', to: ['ann@b.example'], isEncrypted: false })
  expect(mail?.raw).toContain('Message-ID: <ann@b.example>')
  expect(mail?.raw).toMatch(/multipart\/alternative/)
  expect(mail?.raw).toMatch(/text\/plain[\s\S]*text\/html/)
})

test('refused, slow, dribbling, cut off, not there: told within the time, and final only where it is', async () => {
  const failing = async (port: number, to = 'x@b.example', security: SmtpServer['security'] = 'none') => {
    const startedAt = performance.now()
    const error = await send({ ...at(port), security }, envelope(to), content, rules).then(
      () => undefined,
      (reason: unknown) => reason as MailRefused,
    )
    expect(error).toBeInstanceOf(MailRefused)
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    return error?.isFinal
  }
  server.onRecipient = (address) => {
    if (address === 'gone@b.example') throw refusal(550, 'no such user')
    if (address === 'later@b.example') throw refusal(451, 'try later')
  }
  expect(await failing(server.port, 'gone@b.example')).toBe(true)
  expect(await failing(server.port, 'later@b.example')).toBe(false)
  server.onRecipient = () => {}
  expect(await failing(server.port, 'x@b.example', 'tls')).toBe(false) // no STARTTLS: nothing goes in clear

  const silent = await startOddServer(() => {})
  const cut = await startOddServer((socket) => socket.end('220 hello\r\n'))
  const dribbling = await startOddServer((socket) => {
    const timer = setInterval(() => socket.write('2'), 100)
    socket.on('close', () => clearInterval(timer))
  })
  for (const odd of [silent, cut, dribbling]) expect(await failing(odd.port)).toBe(false)
  await cut.stop()
  expect(await failing(cut.port)).toBe(false)
  await silent.stop()
  await dribbling.stop()
})

test('SMTP_URL says how: STARTTLS by default, SSL from the first byte, clear text only when it is said', () => {
  expect(serverOfUrl('smtp://u%40x:p%2Fw@mail.example')).toMatchObject({
    port: 587,
    security: 'tls',
    user: 'u@x',
    password: 'p/w',
  })
  expect(serverOfUrl('smtps://mail.example')).toMatchObject({ port: 465, security: 'ssl', user: null })
  expect(serverOfUrl('smtp://mail.example:25?tls=none')).toMatchObject({ port: 25, security: 'none' })
})
