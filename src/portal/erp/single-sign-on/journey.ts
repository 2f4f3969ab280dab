/**
 * What this browser keeps while it is at the identity provider: in this window alone, so that a link somebody sends
 * leads nowhere.
 */
export interface Journey {
  browserKey: string
  tenantCode: string | null
  next: string | null
}

const KEY = 'solution-erp.single-sign-on'

export function keepJourney(journey: Journey): void {
  window.sessionStorage.setItem(KEY, JSON.stringify(journey))
}

/** Good for one return. */
export function takeJourney(): Journey | null {
  const text = window.sessionStorage.getItem(KEY)
  window.sessionStorage.removeItem(KEY)
  if (text === null) return null
  try {
    const value = JSON.parse(text) as Partial<Journey>
    if (typeof value.browserKey !== 'string') return null
    return { browserKey: value.browserKey, tenantCode: value.tenantCode ?? null, next: value.next ?? null }
  } catch {
    return null
  }
}
