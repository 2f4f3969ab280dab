/** For servers that tests put together by hand: nobody is asked to slow down. */
import { Counters } from '../http/counters.ts'
import { RateLimits } from '../http/rate-limits.ts'
import type { Gate } from '../tenancy/gate.ts'

export function noLimits(gate: Gate): RateLimits {
  const counters = new Counters(undefined, () => {})
  return new RateLimits({ isEnabled: false, anonymousPerMinute: 1, counters, gate })
}
