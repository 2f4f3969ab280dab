/**
 * HTTP to a server whose address somebody else chose: only where it may lead, within a time and a size, and no
 * further than it was asked for (redirects are answers). Speaks as `fetch` does.
 */
import { request as requestPlain, type IncomingMessage } from 'node:http'
import { request as requestSecure } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { addressOfHost, OutsideFailure } from './addresses.ts'

export interface OutsideRules {
  /** Whether it may be on this machine or in a private network. */
  readonly allowsPrivateHosts: boolean
  /** Whether it may be asked without TLS, on this machine alone. */
  readonly allowsPlainLoopback: boolean
  readonly timeoutMs: number
}

export interface OutsideRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

const ANSWER_BYTES_MAXIMUM = 1_048_576
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1'])
const WITHOUT_BODY = new Set([204, 205, 304])

/** Whether the rules let a request go there at all, as far as its name tells; a reason if not. */
export function refusedAddress(url: URL, rules: OutsideRules): string | undefined {
  if (url.username !== '' || url.password !== '') return 'An address carries no user and no password'
  if (url.protocol === 'https:') return undefined
  const isLoopback = url.protocol === 'http:' && LOOPBACK.has(hostOf(url))
  return isLoopback && rules.allowsPlainLoopback ? undefined : 'The address must begin with https://'
}

export async function requestOutside(
  address: string,
  { method, headers, body }: OutsideRequest,
  rules: OutsideRules,
): Promise<Response> {
  const url = new URL(address)
  const refusal = refusedAddress(url, rules)
  if (refusal !== undefined) throw new OutsideFailure(refusal)
  const signal = AbortSignal.timeout(rules.timeoutMs)
  try {
    return await answered(url, { method, headers, body }, rules, signal)
  } catch (error) {
    if (error instanceof OutsideFailure) throw error
    if (signal.aborted)
      throw new OutsideFailure(`${url.host} did not answer within ${rules.timeoutMs / 1000} s`)
    const { code } = error as { code?: string }
    const message = `${url.host} could not be reached (${code ?? 'no connection'})`
    throw new OutsideFailure(message, message, error)
  }
}

async function answered(
  url: URL,
  { method, headers, body }: OutsideRequest,
  rules: OutsideRules,
  signal: AbortSignal,
): Promise<Response> {
  // Looking up takes its time too, and cannot be broken off.
  const found = await Promise.race([addressOfHost(hostOf(url), rules.allowsPrivateHosts), aborted(signal)])
  const lookup = ((_host, options, done) => {
    const family = isIP(found)
    if (options.all) done(null, [{ address: found, family }])
    else done(null, found, family)
  }) as LookupFunction
  const request = url.protocol === 'https:' ? requestSecure : requestPlain
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, 'accept-encoding': 'identity' }, lookup, signal, agent: false }, resolve) // prettier-ignore
    sent.on('error', reject)
    sent.end(body)
  })
  const content = await contentOf(message, url)
  const status = message.statusCode ?? 0
  if (status < 200) throw new OutsideFailure(`${url.host} gave no answer`)
  const told = Object.entries(message.headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  )
  return new Response(WITHOUT_BODY.has(status) ? null : content, { status, headers: told })
}

async function contentOf(message: IncomingMessage, url: URL): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of message as AsyncIterable<Buffer>) {
    sizeBytes += part.length
    if (sizeBytes > ANSWER_BYTES_MAXIMUM) {
      message.destroy()
      throw new OutsideFailure(`${url.host} answered with more than can be read`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('out of time')), { once: true })
  })
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}
