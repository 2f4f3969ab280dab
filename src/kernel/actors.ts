/** Whoever can have done something: one list for what is written down, what is answered and what is shown. */
export const actorKinds = ['user', 'integration', 'operator', 'system'] as const
export type ActorKind = (typeof actorKinds)[number]
