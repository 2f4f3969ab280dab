/** Which addresses are in the public Internet, for servers whose names somebody else chose (SSRF). */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

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

/** A server that is not there, is not where it may be, or does not answer. */
export class OutsideFailure extends Error {
  /** For the operator. The message is for whoever chose the name, and may not look around in our network by it. */
  readonly detail: string

  constructor(message: string, detail = message, cause?: unknown) {
    super(message, { cause })
    this.name = 'OutsideFailure'
    this.detail = detail
  }
}

/** The address to connect to: this very one, not what the name says a moment later. */
export async function addressOfHost(host: string, allowsPrivate: boolean): Promise<string> {
  const refuse = (detail: string, cause?: unknown): OutsideFailure =>
    new OutsideFailure(`The server ${host} was not found in the public Internet`, detail, cause)
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw refuse(`The server ${host} was not found`, error)
  })
  const [first] = found
  if (!first) throw refuse(`The server ${host} was not found`)
  // All of them: a name may answer with a public address and a private one.
  if (!allowsPrivate && !found.every(({ address }) => isPublicAddress(address))) {
    throw refuse(`The server ${host} is not in the public Internet`)
  }
  return first.address
}
