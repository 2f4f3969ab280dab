import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expiredBackups, type KeptBackup } from './retention.ts'
import { nextBackupAt, putOffMinutes } from './schedule.ts'

const NOW = new Date('2026-11-22T12:00:00Z') // a Sunday
const DAY_MS = 86_400_000
const daily = (days: number, from = NOW): KeptBackup[] =>
  Array.from({ length: days }, (_, n) => ({
    id: `d${n}`,
    takenAt: new Date(from.getTime() - n * DAY_MS - 10 * 3_600_000).toISOString(),
    isPinned: false,
  }))
const keptOf = (backups: KeptBackup[], days: number, weeks: number, months: number): string[] => {
  const expired = new Set(expiredBackups(backups, { days, weeks, months }, NOW))
  return backups.filter(({ id }) => !expired.has(id)).map(({ takenAt }) => takenAt.slice(0, 10))
}

describe('retention', () => {
  test('keeps thirty days', () => {
    const kept = keptOf(daily(60), 30, 0, 0)
    expect(kept).toHaveLength(30)
    expect(kept.at(-1)).toBe('2026-10-24')
  })

  test('keeps days, then a week each, then a month each', () => {
    expect(keptOf(daily(200), 3, 4, 4)).toEqual([
      '2026-11-22',
      '2026-11-21',
      '2026-11-20',
      '2026-11-15', // Sundays: the last of their weeks
      '2026-11-08',
      '2026-11-01',
      '2026-10-31',
      '2026-09-30',
      '2026-08-31',
    ])
  })

  test('keeps what is pinned, and the newest of all however old it is', () => {
    const old = daily(5, new Date('2020-01-10T12:00:00Z'))
    expect(keptOf(old, 30, 4, 12)).toEqual(['2020-01-10'])
    expect(keptOf(old.map((backup) => ({ ...backup, isPinned: backup.id === 'd3' })), 1, 0, 0)).toEqual(['2020-01-10', '2020-01-07']) // prettier-ignore
    expect(expiredBackups([], { days: 1, weeks: 0, months: 0 }, NOW)).toEqual([])
  })

  const backup = fc.record({
    id: fc.uuid(),
    takenAt: fc
      .integer({ min: 0, max: 800 * 24 })
      .map((hours) => new Date(NOW.getTime() - hours * 3_600_000).toISOString()),
    isPinned: fc.boolean(),
  })
  const backups = fc.uniqueArray(backup, { selector: ({ id }) => id, maxLength: 60 })
  const policy = fc.record({
    days: fc.integer({ min: 1, max: 60 }),
    weeks: fc.integer({ min: 0, max: 20 }),
    months: fc.integer({ min: 0, max: 24 }),
  })

  test('deletes only what has a newer good one, nothing pinned, nothing of the last days', () => {
    fc.assert(
      fc.property(backups, policy, (all, rule) => {
        const expired = new Set(expiredBackups(all, rule, NOW))
        for (const { id, takenAt, isPinned } of all) {
          if (!expired.has(id)) continue
          expect(isPinned).toBe(false)
          expect(all.some((other) => !expired.has(other.id) && other.takenAt >= takenAt)).toBe(true)
          expect(NOW.getTime() - new Date(takenAt).getTime()).toBeGreaterThan((rule.days - 1) * DAY_MS)
        }
      }),
    )
  })

  test('has nothing more to delete when it was done, and a longer rule never deletes more', () => {
    fc.assert(
      fc.property(backups, policy, (all, rule) => {
        const expired = new Set(expiredBackups(all, rule, NOW))
        expect(expiredBackups(all.filter(({ id }) => !expired.has(id)), rule, NOW)).toEqual([]) // prettier-ignore
        const longer = { days: rule.days + 1, weeks: rule.weeks + 1, months: rule.months + 1 }
        for (const id of expiredBackups(all, longer, NOW)) expect(expired.has(id)).toBe(true)
      }),
    )
  })

  test('leaves one of every month asked for in which there was any', () => {
    fc.assert(
      fc.property(backups, (all) => {
        const expired = new Set(expiredBackups(all, { days: 1, weeks: 0, months: 12 }, NOW))
        const months = (some: readonly KeptBackup[]): string[] =>
          [...new Set(some.map(({ takenAt }) => takenAt.slice(0, 7)))]
            .filter((month) => month > '2025-11')
            .toSorted()
        expect(months(all.filter(({ id }) => !expired.has(id)))).toEqual(months(all))
      }),
    )
  })
})

describe('the schedule', () => {
  const schedule = { minuteOfDay: 120, spreadMinutes: 180 }

  test('is the same time every day, within the spread, and always ahead', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.integer({ min: 0, max: 1_439 }),
        fc.integer({ min: 0, max: 1_440 }),
        fc.date({ min: new Date('2026-01-01'), max: new Date('2027-01-01'), noInvalidDate: true }),
        (id, minuteOfDay, spreadMinutes, now) => {
          const next = nextBackupAt(id, { minuteOfDay, spreadMinutes }, now)
          const aheadMs = next.getTime() - now.getTime()
          expect(aheadMs > 0 && aheadMs <= DAY_MS).toBe(true)
          const after = nextBackupAt(id, { minuteOfDay, spreadMinutes }, next)
          expect(after.getTime() - next.getTime()).toBe(DAY_MS)
          const minutes = (next.getTime() / 60_000 - minuteOfDay + 1_440 * 1e6) % 1_440
          expect(minutes).toBeLessThanOrEqual(spreadMinutes)
        },
      ),
    )
  })

  test('spreads a fleet evenly', () => {
    const ids = Array.from({ length: 9_000 }, () => crypto.randomUUID())
    const perMinute = new Map<number, number>()
    for (const id of ids) {
      const minute = putOffMinutes(id, schedule.spreadMinutes)
      perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1)
    }
    expect(perMinute.size).toBe(180)
    expect(Math.max(...perMinute.values())).toBeLessThan(100) // 50 on average
  })
})
