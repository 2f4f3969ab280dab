/**
 * What a role holds are patterns (see GET /roles/permissions): `*` is all, `*:view` one ability in every module,
 * `users:*` every ability in one, `users:edit` itself. Those with a star also stand for what later versions bring.
 */
export const EVERYTHING = '*'

export const ofModule = (module: string): string => `${module}:*`
export const ofAbility = (ability: string): string => `*:${ability}`

/** A wider pattern by which a permission is held anyhow. */
export function coveredBy(patterns: readonly string[], permission: string): string | undefined {
  const [module = '', ability = ''] = permission.split(':')
  return [EVERYTHING, ofModule(module), ofAbility(ability)].find(
    (wider) => wider !== permission && patterns.includes(wider),
  )
}

/** What has become part of a wider pattern is not listed beside it. */
export function toggled(patterns: readonly string[], pattern: string, isHeld: boolean): string[] {
  const others = patterns.filter((one) => one !== pattern)
  if (!isHeld) return others
  return [...others.filter((one) => coveredBy([pattern], one) === undefined), pattern]
}
