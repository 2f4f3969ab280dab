/**
 * When a tenant's daily backup is due: at a time of day (UTC), put off by a few minutes or hours that are
 * the tenant's own, so that a fleet's backups do not all begin at once, and each one's begin at the same time
 * every day.
 */
export interface BackupSchedule {
  /** Minutes after midnight, UTC. */
  readonly minuteOfDay: number
  readonly spreadMinutes: number
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** The first time after `now`. */
export function nextBackupAt(tenantId: string, schedule: BackupSchedule, now: Date): Date {
  const midnightMs = Math.floor(now.getTime() / DAY_MS) * DAY_MS
  const minutes = schedule.minuteOfDay + putOffMinutes(tenantId, schedule.spreadMinutes)
  // The day before too: a late time of day put off reaches into the next day.
  for (let day = -1; ; day++) {
    const at = midnightMs + day * DAY_MS + minutes * MINUTE_MS
    if (at > now.getTime()) return new Date(at)
  }
}

/** The last digits of an id of version 7 are random: tenants fall evenly over the minutes. */
export function putOffMinutes(tenantId: string, spreadMinutes: number): number {
  return spreadMinutes === 0 ? 0 : Number.parseInt(tenantId.slice(-7), 16) % spreadMinutes
}
