/** Messages, templates and the transport by themselves, the transport against a real SMTP server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { selfSigned } from '../testing/certificates.ts'
import { MailServer, refusal, startOddServer } from '../testing/mail-server.ts'
import { readMail } from '../testing/mime.ts'
import { headerText, mailAddress } from './message.ts'
import { render } from './templates.ts'
import { isPublicAddress } from '../outside/addresses.ts'
import { MailRefused, send, serverOfUrl, type SmtpServer } from './transport.ts'

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
    const error = await sent.catch((reason: unknown) => reason as MailRefused)
    // What there is next door is told to the operator alone.
    expect([error?.kind, error?.message], host).toEqual(['unreachable', expect.stringMatching(/^The mail server .*:\d+ could not be reached, or is no mail server in the public Internet$/)]) // prettier-ignore
    expect(error?.detail).toMatch(/not in the public Internet|not found/)
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

const refusalOf = (sent: Promise<void>): Promise<MailRefused> =>
  sent.then(
    () => Promise.reject(new Error('it was sent')),
    (reason: unknown) => reason as MailRefused,
  )

test('a wrong password is told as such, by itself no reason to give up, and never repeated', async () => {
  const password = 'Canary-Password-9'
  const chatty = await new MailServer().start({
    onAuth: (auth, _session, done) =>
      auth.password === password
        ? done(refusal(535, `no ${auth.password} ${Buffer.from(password).toString('base64')} here`))
        : done(null, { user: auth.username }),
  })
  const asAnn = { ...at(chatty.port), user: 'ann', password }
  const error = await refusalOf(send(asAnn, envelope('a@b.example'), content, rules))
  expect(error).toMatchObject({ kind: 'sign-in', isFinal: false })
  expect(error.serverAnswer).toMatch(/^535 no ••• ••• here/)
  for (const text of [error.message, error.detail]) {
    expect(text).toContain('535')
    expect(text).not.toContain(password)
    expect(text).not.toContain(Buffer.from(password).toString('base64'))
  }
  await send({ ...asAnn, password: 'right' }, envelope('a@b.example'), content, rules) // control
  expect(chatty.received.at(-1)?.user).toBe('ann')
  await chatty.stop()
})

test('what listens there and is no mail server is not repeated', async () => {
  const other = await startOddServer((socket) => socket.end('SSH-2.0-Canary_Banner\r\n'))
  const error = await refusalOf(send(at(other.port), envelope('a@b.example'), content, rules))
  expect(error).toMatchObject({ kind: 'unreachable', serverAnswer: null })
  expect(error.message).not.toContain('Canary')
  expect(error.detail).toContain('Canary') // control: it was said
  await other.stop()
})

test('TLS: a certificate that nobody vouches for is refused, STARTTLS that is taken away too', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'erp-mail-'))
  const { key, cert } = selfSigned(directory)
  const starting = await new MailServer().start({ key, cert })
  const direct = await new MailServer().start({ key, cert, secure: true })
  const trusting = { ...rules, certificateAuthority: cert }
  for (const [port, security] of [
    [starting.port, 'tls'],
    [direct.port, 'ssl'],
  ] as const) {
    const localhost = { ...at(port), host: 'localhost', security }
    const error = await refusalOf(send(localhost, envelope('a@b.example'), content, rules))
    expect(error).toMatchObject({ kind: 'encryption', isFinal: false, serverAnswer: null })
    await send(localhost, envelope('a@b.example'), content, trusting) // control
  }
  expect([starting, direct].map(({ received }) => received.map((mail) => mail.isEncrypted))).toEqual([[true], [true]]) // prettier-ignore
  // Somebody on the way takes the offer away, so that the password comes in clear.
  const asked: string[] = []
  const stripped = await new MailServer().start({
    onAuth: ({ password }, _session, done) => {
      asked.push(password ?? '')
      done(null, { user: 'x' })
    },
  })
  const spy = {
    ...at(stripped.port),
    host: 'localhost',
    security: 'tls',
    user: 'ann',
    password: 'pw',
  } as const
  const error = await refusalOf(send(spy, envelope('a@b.example'), content, trusting))
  expect([error.kind, stripped.received, asked]).toEqual(['encryption', [], []])
  await send({ ...spy, security: 'none' }, envelope('a@b.example'), content, trusting)
  expect([stripped.received.length, asked]).toEqual([1, ['pw']]) // control: it would have come
  await Promise.all([starting.stop(), direct.stop(), stripped.stop()])
  rmSync(directory, { recursive: true, force: true })
})

test('the account that hands a mail in may be another than its author; names begin no header', async () => {
  const names = ['Ann\r\nBcc: all@b.example', 'Ann" <evil@b.example>, "x', 'آن الحارسة', 'a\u2028b']
  for (const name of names) {
    const from = { name, address: 'ann@a.example' }
    await send(at(server.port), { ...envelope('to@b.example'), from, account: 'box@c.example', replyTo: 'desk@a.example' }, content, rules) // prettier-ignore
    const mail = server.received.at(-1)
    const { headers } = readMail(mail?.raw ?? '')
    expect(mail).toMatchObject({ from: 'box@c.example', to: ['to@b.example'] })
    expect(headers.get('from')).toMatch(/<ann@a\.example>$/)
    expect(headers.get('sender')).toBe('box@c.example')
    expect(headers.get('reply-to')).toBe('desk@a.example')
    expect([headers.has('bcc'), mail?.raw.match(/^From:/gm)?.length]).toEqual([false, 1])
  }
  expect(readMail(server.received.at(-2)?.raw ?? '').headers.get('from')).toContain('آن الحارسة')
})
