import { actorKinds } from '../../../kernel/actors.ts'

/** What an audit log is asked, as it stands in the page's address. */
export const filterNames = [
  'search',
  'action',
  'actorKind',
  'entity',
  'entityId',
  'actorId',
  'requestId',
  'from',
  'to',
  'tenantId',
] as const

export type AuditFilter = { [Name in (typeof filterNames)[number]]?: string }

const DAY_MS = 86_400_000

/** Days are the reader's: the first begins at their midnight, the last ends with it. */
export function queryOf({ from, to, actorKind, ...rest }: AuditFilter) {
  const kind = actorKinds.find((one) => one === actorKind)
  return {
    ...rest,
    ...(kind ? { actorKind: kind } : {}),
    ...(from ? { from: new Date(`${from}T00:00:00`).toISOString() } : {}),
    ...(to ? { to: new Date(new Date(`${to}T00:00:00`).getTime() + DAY_MS).toISOString() } : {}),
  }
}

/** The reader's day of a moment, as date fields have it. */
export function dayOf(moment: string): string {
  const date = new Date(moment)
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, '0'))
  return `${date.getFullYear()}-${month}-${day}`
}
