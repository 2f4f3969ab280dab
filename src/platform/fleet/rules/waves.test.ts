import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planWaves, tooManyFailed, unknownCodes, type FleetTenant, type WaveWish } from './waves.ts'

const tenant = (code: string, planCode: string, planRank: number, isCanary = false): FleetTenant => ({
  id: code,
  code,
  planCode,
  planRank,
  isCanary,
})
const tenants = [
  tenant('BIG', 'enterprise', 3),
  tenant('SMALL', 'starter', 1),
  tenant('BRAVE', 'enterprise', 3, true),
  tenant('TRY', 'trial', 0),
]

function told(wishes?: readonly WaveWish[]): [number, string, string[]][] {
  return planWaves(tenants, wishes).map(({ number, name, tenants: members }) => [
    number,
    name,
    members.map(({ code }) => code),
  ])
}

describe('waves', () => {
  test('by themselves: canaries, then the plans from the smallest', () => {
    expect(told()).toEqual([
      [1, 'canaries', ['BRAVE']],
      [2, 'trial', ['TRY']],
      [3, 'starter', ['SMALL']],
      [4, 'enterprise', ['BIG']],
    ])
  })

  test('as wished for, the others last; a tenant goes with the first that names it; empty ones are left out', () => {
    const wishes = [
      { tenantCodes: ['small', 'NOBODY'] },
      { planCodes: ['gold'] },
      { name: 'ours', planCodes: ['starter', 'enterprise'] },
    ]
    expect(told(wishes)).toEqual([
      [1, 'wave 1', ['SMALL']],
      [2, 'ours', ['BIG', 'BRAVE']],
      [3, 'the rest', ['TRY']],
    ])
  })

  test('every tenant goes exactly once, whatever is wished for', () => {
    const code = fc.constantFrom('A', 'B', 'C', 'D', 'E')
    const wish = fc.record(
      { tenantCodes: fc.array(code), planCodes: fc.array(fc.constantFrom('p', 'q')), canaries: fc.boolean() },
      { requiredKeys: [] },
    )
    const fleet = fc.uniqueArray(
      fc.record({ code, planCode: fc.constantFrom('p', 'q'), isCanary: fc.boolean() }),
      { selector: (one) => one.code },
    )
    fc.assert(
      fc.property(fleet, fc.option(fc.array(wish), { nil: undefined }), (members, wishes) => {
        const all = members.map((one) => ({ ...one, id: one.code, planRank: one.planCode === 'p' ? 0 : 1 }))
        const waves = planWaves(all, wishes)
        const gone = waves.flatMap((wave) => wave.tenants.map(({ code: gone_ }) => gone_))
        expect(gone.toSorted()).toEqual(all.map((one) => one.code).toSorted())
        expect(waves.map(({ number }) => number)).toEqual(waves.map((_, index) => index + 1))
        expect(waves.every((wave) => wave.tenants.length > 0)).toBe(true)
      }),
    )
  })

  test('names that nobody bears are told', () => {
    const wishes = [{ tenantCodes: ['small', 'NOBODY'] }, { planCodes: ['gold', 'trial'] }]
    expect(unknownCodes(wishes, ['SMALL'], ['trial'])).toEqual([
      { field: 'waves[0].tenantCodes', code: 'NOBODY' },
      { field: 'waves[1].planCodes', code: 'gold' },
    ])
  })
})

test.each([
  [1, 50, 10, false],
  [5, 50, 10, false],
  [6, 50, 10, true],
  [1, 3, 10, true],
  [1, 1_000, 0, true],
  [0, 1, 0, false],
  [3, 3, 100, false],
])('%i of %i failed, %i %% may: too many is %s', (failed, of, percent, isTooMany) => {
  expect(tooManyFailed(failed, of, percent)).toBe(isTooMany)
})
