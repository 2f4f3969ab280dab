/** Where people reach the product, told alike by the server, the commands and the answers. */
import type { Configuration } from './configuration.ts'

type Known = Pick<Configuration, 'publicUrl' | 'baseDomain'>

/** PUBLIC_URL, else the base domain at this port. A command that answers no requests may know no port (0). */
export function publicAddress({ publicUrl, baseDomain }: Known, port: number): string {
  if (publicUrl !== undefined) return new URL(publicUrl).origin
  return `http://${baseDomain}${port === 0 ? '' : `:${port}`}`
}

/** `http://acme.localhost:3000` */
export function tenantAddress(known: Known, port: number, subdomain: string): string {
  const address = new URL(publicAddress(known, port))
  address.hostname = `${subdomain}.${known.baseDomain}`
  return address.origin
}
