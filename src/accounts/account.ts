/**
 * Accounts: what a tenant's users and the platform's operators have alike, kept by the same code in tables of
 * their own: passwords and the links to set one, second factors, and what confines a session until it is mended.
 */
import type { Restriction } from '../http/contract.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Language } from '../mail/templates.ts'
import type { PlatformRead, PlatformTx, TenantRead, TenantTx } from '../tenancy/handles.ts'
import type { Secrets } from '../tenancy/secrets.ts'

export interface AccountTables {
  readonly owner: 'core.app_user' | 'platform.operator'
  readonly ownerColumn: 'user_id' | 'operator_id'
  readonly passwordLink: 'core.password_token' | 'platform.operator_password_token'
  readonly secondFactor: 'core.second_factor' | 'platform.operator_second_factor'
}

export const userTables: AccountTables = {
  owner: 'core.app_user',
  ownerColumn: 'user_id',
  passwordLink: 'core.password_token',
  secondFactor: 'core.second_factor',
}

export const operatorTables: AccountTables = {
  owner: 'platform.operator',
  ownerColumn: 'operator_id',
  passwordLink: 'platform.operator_password_token',
  secondFactor: 'platform.operator_second_factor',
}

/** What differs between the two sides beside their tables. */
export interface AccountPorts<Tx extends TenantTx | PlatformTx> {
  readonly tables: AccountTables
  readonly secrets: Secrets
  readonly mails: Outbox<Tx>
  /** The page where a link sets a password. */
  setPasswordPage(tx: Tx): Promise<string>
  /** In which mails are written. */
  language(tx: Tx): Promise<Language>
  /** Named by authenticator apps beside the code. */
  issuer(tx: Tx): string
  endSessions(tx: Tx, ownerId: string, reason: string): Promise<void>
  /** For the audit, where the tables themselves do not keep one. */
  record(tx: Tx, ownerId: string, action: string): Promise<void>
}

/** Either side's door. */
export interface AccountDoor<Tx extends TenantTx | PlatformTx> {
  read<Result>(work: (tx: AccountRead) => Promise<Result>): Promise<Result>
  write<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
}

export type AccountRead = Pick<TenantRead | PlatformRead, 'row' | 'rows'>

/** What restrictionColumns() selects. */
export interface RestrictionRow {
  readonly must_change_password: boolean
  readonly second_factor_missing: boolean
}

/** SQL conditions and names that a restriction is asked with. */
interface RestrictionQuery {
  /** The alias of the owner's row. */
  readonly owner: string
  /** How old a password may be, 0 for as old as it likes. */
  readonly days: string
  /** Whether this session was begun with the owner's password. */
  readonly isByPassword: string
  /** Whether this owner needs a second factor. */
  readonly isRequired: string
}

/** SQL of a RestrictionRow. */
export function restrictionColumns(
  { secondFactor, ownerColumn }: AccountTables,
  { owner, days, isByPassword, isRequired }: RestrictionQuery,
): string {
  return `(${isByPassword} AND (${owner}.must_change_password OR (${days} > 0
      AND coalesce(${owner}.password_changed_at < now() - make_interval(days => ${days}), false)))) AS must_change_password,
    (${isRequired} AND NOT EXISTS (SELECT FROM ${secondFactor} f
      WHERE f.${ownerColumn} = ${owner}.id AND f.confirmed_at IS NOT NULL)) AS second_factor_missing`
}

/** An old password first: who knows it alone must not be the one who sets up the second factor. */
export function restrictionOf(row: RestrictionRow): Restriction | undefined {
  if (row.must_change_password) return 'password-expired'
  return row.second_factor_missing ? 'second-factor-missing' : undefined
}
