/**
 * Sending by SMTP. A user's own server is an address that a user chose: in production it must be a public
 * one, and the connection goes to the very address that was looked at (not to what its name says later).
 */
import { isIP } from 'node:net'
import { createTransport } from 'nodemailer'
import { addressOfHost, OutsideFailure } from '../outside/addresses.ts'
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
  /** The account that hands the mail in, where that is not the author: MAIL FROM, and the header `Sender`. */
  readonly account?: string
}

/**
 * unreachable: not found, not allowed, not answering, no mail server; which of these is not told to users, who
 * could otherwise find out what there is in our network.
 */
export const refusalKinds = [
  'unreachable',
  'encryption',
  'sign-in',
  'sender',
  'recipient',
  'message',
  'other',
] as const
export type RefusalKind = (typeof refusalKinds)[number]

/** `message` is for whoever sends; `detail` for the operator. */
export class MailRefused extends Error {
  readonly kind: RefusalKind
  /** Trying again would change nothing: the server knows this recipient will not do. */
  readonly isFinal: boolean
  readonly detail: string
  /** What the server itself said, if it came so far. */
  readonly serverAnswer: string | null

  constructor(
    message: string,
    {
      kind = 'other',
      isFinal = false,
      detail = message,
      serverAnswer = null,
      cause,
    }: Partial<Pick<MailRefused, 'kind' | 'isFinal' | 'detail' | 'serverAnswer' | 'cause'>> = {},
  ) {
    super(message, { cause })
    this.name = 'MailRefused'
    this.kind = kind
    this.isFinal = isFinal
    this.detail = detail
    this.serverAnswer = serverAnswer
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
      envelope: { from: envelope.account ?? envelope.from.address, to: envelope.to },
      from: { name: oneLine(envelope.from.name), address: envelope.from.address },
      ...(envelope.account === undefined ? {} : { sender: { name: '', address: envelope.account } }),
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
    throw error instanceof MailRefused ? error : refusal(error, server)
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

/** A name comes from people; a line break in it would begin the next header. */
function oneLine(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}

interface SmtpFailure {
  readonly message?: string
  readonly response?: string
  readonly responseCode?: number
  readonly command?: string
  readonly code?: string
  readonly originalCode?: string
}

const ANSWER_LENGTH_MAXIMUM = 300

function refusal(error: unknown, server: SmtpServer): MailRefused {
  const failure = error as SmtpFailure
  const kind = kindOf(failure)
  // Only what answers a mail is repeated: before that, whatever listens there may be speaking.
  const isSmtp = !['unreachable', 'encryption', 'other'].includes(kind)
  const serverAnswer = isSmtp && failure.response ? readable(failure.response, server) : null
  const words = wordsOf(kind, server)
  return new MailRefused(serverAnswer === null ? words : `${words}: ${serverAnswer}`, {
    kind,
    // A 5xx about this mail is the last word (RFC 5321, 4.2.1); one about signing in may be mended by people.
    isFinal: (failure.responseCode ?? 0) >= 500 && ['sender', 'recipient', 'message'].includes(kind),
    detail: readable(failure.message ?? String(error), server),
    serverAnswer,
    cause: error,
  })
}

function kindOf({ command = '', code = '', originalCode = '' }: SmtpFailure): RefusalKind {
  if (code === 'EAUTH' || command.startsWith('AUTH')) return 'sign-in'
  if (code === 'ETLS' || command === 'STARTTLS' || /CERT|SSL|TLS|SIGNATURE|ISSUER/.test(originalCode))
    return 'encryption'
  if (command === 'MAIL FROM') return 'sender'
  if (command === 'RCPT TO') return 'recipient'
  if (command === 'DATA') return 'message'
  return ['ESTREAM', 'EMESSAGE'].includes(code) ? 'other' : 'unreachable'
}

function wordsOf(kind: RefusalKind, { isTrusted, host, port, security }: SmtpServer): string {
  const name = isTrusted ? "The platform's mail server" : `The mail server ${host}:${port}`
  const words: Readonly<Record<RefusalKind, string>> = {
    unreachable: `${name} could not be reached${isTrusted ? '' : ', or is no mail server in the public Internet'}`,
    encryption: `${name} offers no encryption that can be trusted (${security === 'ssl' ? 'SSL' : 'STARTTLS'}): its certificate, or the kind of encryption, is not right`,
    'sign-in': `${name} did not accept the user name and password`,
    sender: `${name} did not accept the sender's address`,
    recipient: `${name} did not accept the recipient`,
    message: `${name} did not take the message`,
    other: 'The message could not be sent',
  }
  return words[kind]
}

/** One line, of bounded length; a server that repeats what it was told does not have it repeated to anybody. */
function readable(text: string, { user, password }: SmtpServer): string {
  const base64 = (secret: string): string => Buffer.from(secret).toString('base64')
  const secrets = password
    ? [base64(`\0${user ?? ''}\0${password}`), base64(password), password].filter((secret) => secret !== '')
    : []
  return secrets
    .reduce((shown, secret) => shown.replaceAll(secret, '•••'), text)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, ANSWER_LENGTH_MAXIMUM)
}

async function addressOf(server: SmtpServer, { allowPrivateHosts }: SendingRules): Promise<string> {
  if (server.isTrusted) return server.host
  return addressOfHost(server.host, allowPrivateHosts).catch((error: unknown) => {
    if (!(error instanceof OutsideFailure)) throw error
    const { detail, cause } = error
    throw new MailRefused(wordsOf('unreachable', server), { kind: 'unreachable', detail, cause })
  })
}
