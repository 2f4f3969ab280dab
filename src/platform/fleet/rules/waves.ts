/** Who goes when: canaries first, then plan by plan from the smallest, or as the request says. */

export interface FleetTenant {
  readonly id: string
  readonly code: string
  readonly planCode: string
  /** Plans from the smallest: 0, 1, 2 … */
  readonly planRank: number
  readonly isCanary: boolean
}

export interface WaveWish {
  readonly name?: string
  readonly tenantCodes?: readonly string[]
  readonly planCodes?: readonly string[]
  readonly canaries?: boolean
}

export interface Wave<Tenant> {
  readonly number: number
  readonly name: string
  readonly tenants: readonly Tenant[]
}

const CANARIES = 'canaries'
const THE_REST = 'the rest'

/** Each tenant goes with the first wave that names it; waves that nobody is in are left out. */
export function planWaves<Tenant extends FleetTenant>(
  tenants: readonly Tenant[],
  wishes: readonly WaveWish[] | undefined,
): Wave<Tenant>[] {
  const asked = [...(wishes ?? defaultWishes(tenants)), { name: THE_REST }].map((wish: WaveWish) => ({
    wish,
    codes: new Set(wish.tenantCodes?.map((code) => code.toLowerCase())),
    plans: new Set(wish.planCodes),
    members: [] as Tenant[],
  }))
  for (const tenant of tenants) {
    const wave = asked.find(
      ({ wish, codes, plans }) =>
        (wish.canaries === true && tenant.isCanary) ||
        plans.has(tenant.planCode) ||
        codes.has(tenant.code.toLowerCase()),
    )
    ;(wave ?? asked.at(-1))?.members.push(tenant)
  }
  return asked
    .filter(({ members }) => members.length > 0)
    .map(({ wish, members }, index) => ({
      number: index + 1,
      name: wish.name ?? (wish.canaries ? CANARIES : (wish.planCodes?.join(', ') ?? `wave ${index + 1}`)),
      tenants: members,
    }))
}

/** Codes that a wish names and nobody bears: a typing mistake, which would otherwise pass unnoticed. */
export function unknownCodes(
  wishes: readonly WaveWish[],
  tenantCodes: readonly string[],
  planCodes: readonly string[],
): { field: string; code: string }[] {
  const tenants = new Set(tenantCodes.map((code) => code.toLowerCase()))
  const plans = new Set(planCodes)
  return wishes.flatMap((wish, index) => [
    ...(wish.tenantCodes ?? [])
      .filter((code) => !tenants.has(code.toLowerCase()))
      .map((code) => ({ field: `waves[${index}].tenantCodes`, code })),
    ...(wish.planCodes ?? [])
      .filter((code) => !plans.has(code))
      .map((code) => ({ field: `waves[${index}].planCodes`, code })),
  ])
}

/** One failure in fifty is no reason to keep the others waiting; one in five is. */
export function tooManyFailed(failed: number, waveTenants: number, failurePercent: number): boolean {
  return failed * 100 > failurePercent * waveTenants
}

function defaultWishes(tenants: readonly FleetTenant[]): WaveWish[] {
  const ranks = new Map(tenants.map(({ planCode, planRank }) => [planCode, planRank]))
  const plans = [...ranks].toSorted(([, a], [, b]) => a - b)
  return [{ canaries: true }, ...plans.map(([code]) => ({ planCodes: [code] }))]
}
