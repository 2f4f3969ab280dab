/** What an audit entry changed, field by field. */

export interface Difference {
  /** `address.city`, `lines[2].debit` */
  readonly field: string
  readonly before: string | undefined
  readonly after: string | undefined
}

type Values = Readonly<Record<string, unknown>>

/** Of every change, and of interest to nobody. */
const ALWAYS_CHANGED = new Set(['updated_at'])
export const DIFFERENCES_MAXIMUM = 300

/** Fields that differ; of what was made or deleted all that were set. `isCut`: there are more than are shown. */
export function differencesOf(
  oldValues: Values | null,
  newValues: Values | null,
): { differences: Difference[]; isCut: boolean } {
  const before = new Map(leavesOf(oldValues ?? {}, ''))
  const after = new Map(leavesOf(newValues ?? {}, ''))
  const differences = [...new Set([...before.keys(), ...after.keys()])]
    .filter((field) => before.get(field) !== after.get(field) && !ALWAYS_CHANGED.has(field))
    .map((field) => ({ field, before: before.get(field), after: after.get(field) }))
  return {
    differences: differences.slice(0, DIFFERENCES_MAXIMUM),
    isCut: differences.length > DIFFERENCES_MAXIMUM,
  }
}

function leavesOf(value: unknown, path: string): [string, string][] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) {
    const isPlain = value.every((item) => typeof item !== 'object' || item === null)
    return isPlain
      ? [[path, value.join(', ')]]
      : value.flatMap((item, index) => leavesOf(item, `${path}[${index + 1}]`))
  }
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([name, item]) =>
      leavesOf(item, path === '' ? name : `${path}.${name}`),
    )
  }
  return [[path, String(value as string | number | boolean)]]
}
