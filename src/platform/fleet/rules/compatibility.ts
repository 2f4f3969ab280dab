/**
 * Expand and contract: a release may only add to the schema, and take away what the release before it no
 * longer used. So code serves tenants of its own version, and of the versions of the next release.
 */

export interface Landed {
  readonly release: string
  readonly set: string
  readonly name: string
}

export interface SchemaVersion {
  readonly version: string
  /** Code whose newest migration is this one, or a later one, can serve a tenant of this version. */
  readonly oldestCodeVersion: string
}

/** Of each version: the newest of the release before. What is not on the list yet belongs to the coming release. */
export function oldestCodeVersions(names: readonly string[], landed: readonly Landed[]): SchemaVersion[] {
  const releases = new Map(
    landed.filter(({ set }) => set === 'tenant').map(({ name, release }) => [name, release]),
  )
  const COMING = 'next'
  let [release, before, previous] = ['', '', '']
  return names.toSorted().map((version) => {
    const own = releases.get(version) ?? COMING
    if (own !== release) [release, before] = [own, previous]
    previous = version
    return { version, oldestCodeVersion: before === '' ? version : before }
  })
}

/** Whether code of this version may serve a tenant of that one. */
export function canServe(
  codeVersion: string,
  tenant: { readonly version: string | null; readonly oldestCodeVersion: string | null },
): boolean {
  if (tenant.version === null || tenant.version < codeVersion) return false
  if (tenant.version === codeVersion) return true
  return tenant.oldestCodeVersion !== null && tenant.oldestCodeVersion <= codeVersion
}
