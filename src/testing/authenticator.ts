/** An authenticator app: the codes of a secret, now and some steps of half a minute away. */
import { Secret, TOTP } from 'otpauth'

export function codeOf(secret: string, steps = 0, now: number = Date.now()): string {
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: now + steps * 30_000 })
}

/** Six digits that are none of the codes that are good now, or will be soon. */
export function wrongCodeOf(secret: string): string {
  const good = new Set([-3, -2, -1, 0, 1, 2, 3].map((steps) => codeOf(secret, steps)))
  return ['000000', '111111', '222222', '333333', '444444', '555555', '666666', '777777'].find((code) => !good.has(code))! // prettier-ignore
}
