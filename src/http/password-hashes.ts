/** bcrypt at cost 12, off the event loop (the library works in its own threads). */
import { hash, verify } from '@node-rs/bcrypt'

const COST = 12
/** Compared with when there is no such user, so that the answer takes as long as for a known one. */
const NOBODYS_HASH = '$2b$12$Q1Cfy5x8BMsBRCyqfy4jt.cy1uIuDhlpnnm5/YgTbsjr.dj55KJmi'

export function hashPassword(password: string): Promise<string> {
  return hash(password, { cost: COST })
}

export async function passwordMatches(
  password: string,
  passwordHash: string | null | undefined,
): Promise<boolean> {
  const matches = await verify(password, passwordHash ?? NOBODYS_HASH).catch(() => false)
  return matches && passwordHash != null
}
