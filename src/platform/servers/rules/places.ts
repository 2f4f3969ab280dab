/** Which server takes another tenant. */
export interface Place {
  readonly id: string
  readonly name: string
  readonly kind: 'shared' | 'dedicated'
  readonly state: 'active' | 'draining' | 'full'
  /** As of the last look at it; null: nobody has looked yet. */
  readonly isReachable: boolean | null
  readonly databaseLimit: number | null
  readonly tenants: number
}

/** Why it takes nobody now, in words; undefined: it does. */
export function whyNot({ name, state, isReachable, databaseLimit, tenants }: Place): string | undefined {
  if (state === 'draining') return `Server ${name} is being drained and takes no tenants`
  if (state === 'full') return `Server ${name} is marked full`
  if (isReachable === false) return `Server ${name} does not answer`
  if (databaseLimit !== null && tenants >= databaseLimit) {
    return `Server ${name} is full: ${tenants} of ${databaseLimit} databases`
  }
  return undefined
}

/**
 * The shared server with the smallest share of its room taken. Servers without a limit count as roomy as the
 * roomiest with one. The first of equals, so that the answer is always the same. One that did not answer when
 * it was last looked at is taken only where none did: a look is some seconds old, and making a tenant is tried
 * again and undone where it fails.
 */
export function emptiest(places: readonly Place[]): Place | undefined {
  return emptiestOf(places) ?? emptiestOf(places.map((place) => ({ ...place, isReachable: null })))
}

function emptiestOf(places: readonly Place[]): Place | undefined {
  const open = places.filter((place) => place.kind === 'shared' && whyNot(place) === undefined)
  const roomiest = Math.max(1, ...open.map(({ databaseLimit }) => databaseLimit ?? 1))
  const taken = ({ tenants, databaseLimit }: Place): number => tenants / (databaseLimit ?? roomiest)
  return open.reduce<Place | undefined>(
    (best, place) => (best === undefined || taken(place) < taken(best) ? place : best),
    undefined,
  )
}
