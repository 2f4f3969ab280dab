/** Which backups are kept: all of the last days, and the newest of each of the last weeks and months. */
export interface RetentionPolicy {
  readonly days: number
  readonly weeks: number
  readonly months: number
}

export interface KeptBackup {
  readonly id: string
  /** Instant, ISO 8601 in UTC. */
  readonly takenAt: string
  readonly isPinned: boolean
}

const DAY_MS = 86_400_000

/** Ids of good backups that may go. The newest never does: what is deleted has a newer good one. */
export function expiredBackups(backups: readonly KeptBackup[], policy: RetentionPolicy, now: Date): string[] {
  const newestFirst = backups.toSorted((one, other) => (one.takenAt < other.takenAt ? 1 : -1))
  const today = dayOf(now.toISOString())
  const thisMonth = monthOf(now.toISOString())
  const kept = new Set<string>(newestFirst.slice(0, 1).map(({ id }) => id))
  const weeks = new Set<number>()
  const months = new Set<number>()
  for (const { id, takenAt, isPinned } of newestFirst) {
    const [day, week, month] = [dayOf(takenAt), weekOf(dayOf(takenAt)), monthOf(takenAt)]
    const isFirstOfWeek = week > weekOf(today) - policy.weeks && !weeks.has(week)
    const isFirstOfMonth = month > thisMonth - policy.months && !months.has(month)
    weeks.add(week)
    months.add(month)
    if (isPinned || day > today - policy.days || isFirstOfWeek || isFirstOfMonth) kept.add(id)
  }
  return newestFirst.filter(({ id }) => !kept.has(id)).map(({ id }) => id)
}

/** Days since 1970-01-01, in UTC. */
function dayOf(instant: string): number {
  return Math.floor(new Date(instant).getTime() / DAY_MS)
}

/** Weeks begin on Monday, as in ISO 8601; 1970-01-01 was a Thursday. */
function weekOf(day: number): number {
  return Math.floor((day + 3) / 7)
}

function monthOf(instant: string): number {
  const date = new Date(instant)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}
