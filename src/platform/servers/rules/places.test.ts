import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emptiest, whyNot, type Place } from './places.ts'

const place = (change: Partial<Place> = {}): Place => ({
  id: 'a',
  name: 'a',
  kind: 'shared',
  state: 'active',
  isReachable: true,
  databaseLimit: 10,
  tenants: 0,
  ...change,
})

describe('a server takes nobody', () => {
  test.each([
    ['draining', { state: 'draining' }, 'Server a is being drained and takes no tenants'],
    ['marked full', { state: 'full' }, 'Server a is marked full'],
    ['at its limit', { tenants: 10 }, 'Server a is full: 10 of 10 databases'],
    ['over its limit', { tenants: 12 }, 'Server a is full: 12 of 10 databases'],
  ] as const)('that is %s', (_name, change, reason) => {
    expect(whyNot(place(change))).toBe(reason)
    expect(emptiest([place(change)])).toBeUndefined()
  })

  test.each([
    ['has one place left', { tenants: 9 }],
    ['has no limit', { tenants: 10_000, databaseLimit: null }],
    ['was not looked at yet', { isReachable: null }],
  ] as const)('control: one that %s does', (_name, change) => {
    expect(whyNot(place(change))).toBeUndefined()
    expect(emptiest([place(change)])?.id).toBe('a')
  })
})

describe('a server that did not answer', () => {
  const away = place({ id: 'away', name: 'away', isReachable: false })

  test('is passed over, however empty, where another answers', () => {
    expect(whyNot(away)).toBe('Server away does not answer')
    expect(emptiest([away, place({ id: 'here', tenants: 9 })])?.id).toBe('here')
  })

  test('is taken where none does: the look is some seconds old', () => {
    expect(emptiest([away, place({ tenants: 10 })])?.id).toBe('away')
  })
})

describe('the emptiest', () => {
  test('is the one with the smallest share taken, not the fewest tenants', () => {
    const small = place({ id: 'small', tenants: 5, databaseLimit: 10 })
    const large = place({ id: 'large', tenants: 20, databaseLimit: 100 })
    expect(emptiest([small, large])?.id).toBe('large')
  })

  test('of equals is the first', () => {
    expect(emptiest([place({ id: 'first' }), place({ id: 'second' })])?.id).toBe('first')
  })

  test('is never a dedicated one', () => {
    expect(emptiest([place({ kind: 'dedicated' })])).toBeUndefined()
  })

  test('takes tenants until every shared server is full, and never more than fit', () => {
    const limits = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(limits, (databaseLimits) => {
        let places = databaseLimits.map((databaseLimit, index) => place({ id: String(index), databaseLimit }))
        let placed = 0
        for (let next = emptiest(places); next; next = emptiest(places)) {
          const { id } = next
          places = places.map((one) => (one.id === id ? { ...one, tenants: one.tenants + 1 } : one))
          placed++
        }
        expect(placed).toBe(databaseLimits.reduce((sum, limit) => sum + limit, 0))
      }),
    )
  })
})
