/** What was mailed to somebody of a tenant (still in its outbox, or kept for operators to read), or of the platform. */
import { sql } from 'kysely'
import { SYSTEM, type Product } from '../server/product.ts'
import { platformSql, tenantSql } from '../tenancy/handles.ts'

export interface Mailed {
  readonly template: string
  readonly subject: string
  readonly text: string
  /** Of the link in it, if there is one. */
  readonly token: string
  /** Where the link leads. */
  readonly address: string
}

interface Row {
  readonly id: string
  readonly template: string
  readonly subject: string
  readonly sealed_content: string | null
}

const from = (
  table: string,
  email: string,
) => sql<Row>`SELECT id, template, subject, sealed_content FROM ${sql.table(table)}
  WHERE lower(recipient) = lower(${email}) AND sealed_content IS NOT NULL`

/** The newest first. */
export async function mailedTo(product: Product, tenantId: string, email: string): Promise<Mailed[]> {
  const entry = await product.directory.byId(tenantId)
  // In this order: the relay carries them from the one to the other.
  const waiting = await product.gate.readTenant(entry!.location, null, SYSTEM, (tx) =>
    tx.rows(from('core.mail', email).compile(tenantSql)),
  )
  const carried = await platformRows(product, email)
  return read(product, [...waiting, ...carried])
}

/** Likewise, of the platform's own mails. */
export async function platformMailedTo(product: Product, email: string): Promise<Mailed[]> {
  return read(product, await platformRows(product, email))
}

function platformRows(product: Product, email: string): Promise<Row[]> {
  return product.gate.readPlatform(SYSTEM, (tx) => tx.rows(from('platform.mail', email).compile(platformSql)))
}

function read(product: Product, rows: readonly Row[]): Mailed[] {
  const mails = new Map(rows.map((mail) => [mail.id, mail]))
  return [...mails.values()]
    .toSorted((a, b) => (a.id < b.id ? 1 : -1))
    .map(({ id, template, subject, sealed_content: sealed }) => {
      const { text } = product.mails.tenant.open(id, sealed ?? '')
      const [, address = '', token = ''] = /(http\S+)\/set-password\?token=([\w-]+)/.exec(text) ?? []
      return { template, subject, text, token, address }
    })
}
