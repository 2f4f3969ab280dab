/**
 * Sending by SMTP. A user's own server is an address that a user chose: in production it must be a public
 * one, and the connection goes to the very address that was looked at (not to what its name says later).
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { createTransport } from 'nodemailer'
import type { MailContent } from './message.ts'

export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** tls: STARTTLS is required; ssl: from the first byte; none: clear text. */
  readonly security: 'tls' | 'ssl' | 'none'
  readonly user: string | null
  readonly password: string | null
  /** The operator's own relay may be next door, and then often without a certificate. */
  readonly isTrusted: boolean
}

export interface Envelope {
  /** Stable over all attempts, so that a mail that arrives twice is known for one. */
  readonly messageId: string
  readonly from: { readonly name: string; readonly address: string }
  readonly to: string
  readonly replyTo?: string
}

export class MailRefused extends Error {
  /** Trying again would change nothing: the server knows this recipient will not do. */
  readonly isFinal: boolean

  constructor(message: string, isFinal: boolean, cause?: unknown) {
    super(message, { cause })
    this.name = 'MailRefused'
    this.isFinal = isFinal
  }
}

const CONNECT_TIMEOUT_MS = 8_000
const ANSWER_TIMEOUT_MS = 8_000
const SEND_TIMEOUT_MS = 30_000

/** `smtp://user:password@host:587`, `smtps://…`; `smtp://…?tls=none` for a relay next door. */
export function serverOfUrl(url: string): SmtpServer {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url)
  const isSsl = protocol === 'smtps:'
  const isPlain = searchParams.get('tls') === 'none'
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isSsl ? 465 : 587) : Number(port),
    security: isSsl ? 'ssl' : isPlain ? 'none' : 'tls',
    user: username === '' ? null : decodeURIComponent(username),
    password: password === '' ? null : decodeURIComponent(password),
    isTrusted: true,
  }
}

export interface SendingRules {
  /** Whether users' own servers may be on this machine or in a private network. */
  readonly allowPrivateHosts: boolean
  readonly timeoutMs?: number
  /** Authorities beside the public ones (tests). */
  readonly certificateAuthority?: string
}

/** Resolves when the server has taken the mail; throws MailRefused with a reason a person can read. */
export async function send(
  server: SmtpServer,
  envelope: Envelope,
  content: MailContent,
  rules: SendingRules,
): Promise<void> {
  const { timeoutMs = SEND_TIMEOUT_MS } = rules
  // A server that answers a byte now and then keeps every single wait short.
  let timer: NodeJS.Timeout | undefined
  const overall = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${timeoutMs / 1000} s`)), timeoutMs)
  })
  let transport: ReturnType<typeof transportTo> | undefined
  const sending = (async () => {
    const address = await addressOf(server, rules)
    transport = transportTo(server, address, rules, timeoutMs)
    await transport.sendMail({
      messageId: envelope.messageId,
      from: { name: envelope.from.name, address: envelope.from.address },
      to: { name: '', address: envelope.to },
      ...(envelope.replyTo === undefined ? {} : { replyTo: { name: '', address: envelope.replyTo } }),
      subject: content.subject,
      text: content.text,
      html: content.html,
    })
  })()
  sending.catch(() => {}) // may come after the time is up
  try {
    await Promise.race([sending, overall])
  } catch (error) {
    throw error instanceof MailRefused ? error : refusal(error)
  } finally {
    clearTimeout(timer)
    transport?.close()
  }
}

function transportTo(server: SmtpServer, address: string, rules: SendingRules, timeoutMs: number) {
  return createTransport({
    host: address,
    port: server.port,
    secure: server.security === 'ssl',
    requireTLS: server.security === 'tls',
    ignoreTLS: server.security === 'none',
    tls: {
      ...(isIP(server.host) ? {} : { servername: server.host }),
      ...(rules.certificateAuthority === undefined ? {} : { ca: rules.certificateAuthority }),
    },
    ...(server.user === null ? {} : { auth: { user: server.user, pass: server.password ?? '' } }),
    connectionTimeout: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
    greetingTimeout: Math.min(ANSWER_TIMEOUT_MS, timeoutMs),
    socketTimeout: Math.min(ANSWER_TIMEOUT_MS, timeoutMs),
    // Nothing is fetched for a mail, neither files nor addresses.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
}

function refusal(error: unknown): MailRefused {
  const { message, responseCode, command, code } = error as {
    message?: string
    responseCode?: number
    command?: string
    code?: string
  }
  const text = (message ?? String(error)).replaceAll(/[\p{Cc}]+/gu, ' ').slice(0, 300)
  // A 5xx about this mail is the last word (RFC 5321, 4.2.1); one about signing in may be mended by people.
  const isAboutMail = /^(?:RCPT TO|DATA|MAIL FROM)/.test(command ?? '') || code === 'EENVELOPE'
  const isFinal = (responseCode ?? 0) >= 500 && isAboutMail
  return new MailRefused(text, isFinal, error)
}

// ---- where to ------------------------------------------------------------------------------------------

const notPublic = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::', 96], // unspecified, loopback and IPv4-compatible
  ['64:ff9b::', 96], // reaches IPv4 through a translator
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6')
}

/** IPv4 addresses written as IPv6 (::ffff:…) are judged as what they are: BlockList does so by itself. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address)
  return version !== 0 && !notPublic.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

async function addressOf(server: SmtpServer, { allowPrivateHosts }: SendingRules): Promise<string> {
  if (server.isTrusted) return server.host
  const found = await lookup(server.host, { all: true }).catch((error: unknown) => {
    throw new MailRefused(`The server ${server.host} was not found`, false, error)
  })
  const [first] = found
  if (!first) throw new MailRefused(`The server ${server.host} was not found`, false)
  // All of them: a name may answer with a public address and a private one.
  if (!allowPrivateHosts && !found.every(({ address }) => isPublicAddress(address))) {
    throw new MailRefused(`The server ${server.host} is not in the public Internet`, false)
  }
  return first.address
}
