/** Invitations: one by one, and many from a file, all of them or none. */
import { sql } from 'kysely'
import { Type, type Static } from 'typebox'
import { callerOf, implement, type Route, type TenantContext } from '../../../http/route.ts'
import { bodyProblems } from '../../../http/validation.ts'
import { foldedEmail } from '../../../kernel/email.ts'
import { Problem, problems, validationProblem, type FieldProblem } from '../../../kernel/problem.ts'
import { tenantSql, type TenantTx } from '../../../tenancy/handles.ts'
import { Administration, type Powers } from '../administration.ts'
import { sendInvitations, type Recipient } from '../password-links.ts'
import { type IdentityPorts } from '../ports.ts'
import { identityProblems } from '../problems.ts'
import { readRole } from '../roles/operations.ts'
import { createUser, INVITED_AT_ONCE_MAXIMUM, inviteUser, inviteUsers, type UserData } from './contract.ts'
import { assertMayChange, insertUsers, readUser, USER_COLUMNS, type NewUser } from './records.ts'
import { readInvitations, type InvitationRow } from './rules/invitation-file.ts'

const PROBLEMS_SHOWN_MAXIMUM = 1_000

export function invitationRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(inviteUser, async (tx, { params }, context) => {
      const administration = await Administration.begin(tx, callerOf(context).id)
      const user = await readUser(tx, params.id)
      await assertMayChange(tx, administration, user)
      if (!user.isInvited) throw new Problem(identityProblems.notInvited)
      if (user.status !== 'active')
        throw new Problem(problems.conflict, { message: 'This user is not active' })
      await ports.passwords.voidLinks(tx, user.id)
      await invite(ports, tx, [user], context)
      return user
    }),
    implement(inviteUsers, (tx, { body }, context) => inviteFromFile(ports, tx, body.content, context)),
  ]
}

/** Whoever is not active could not use the link. */
export async function invite(
  ports: IdentityPorts,
  tx: TenantTx,
  users: readonly (Recipient & { readonly isActive?: boolean })[],
  context: TenantContext,
): Promise<void> {
  const active = users.filter(({ isActive }) => isActive !== false)
  if (active.length > 0) await sendInvitations(ports, tx, active, context)
}

// ---- from a file ---------------------------------------------------------------------------------------

const { fullName, email, phone, joinDate } = createUser.body.properties
const Person = Type.Object({ fullName, email, phone, joinDate })

async function inviteFromFile(
  ports: IdentityPorts,
  tx: TenantTx,
  content: Uint8Array,
  context: TenantContext,
): Promise<{ users: UserData[]; count: number }> {
  const caller = callerOf(context)
  const file = readInvitations(decoded(content), INVITED_AT_ONCE_MAXIMUM)
  const administration = await Administration.begin(tx, caller.id)
  const known = await readKnown(tx, file.rows)
  const wrong: FieldProblem[] = [...file.problems]
  const seen = new Map<string, number>()
  const users = file.rows.flatMap((row) => {
    const refuse = (field: string, code: string, message: string): number =>
      wrong.push({ line: row.line, field, code, message })
    const user = userOf(row, known, caller.companyId ?? '', context.newId, refuse)
    const address = foldedEmail(row.values.email ?? '')
    const earlier = seen.get(address)
    if (earlier !== undefined) refuse('email', 'DUPLICATE', `This address is in line ${earlier} already`)
    else if (known.emails.has(address)) refuse('email', 'DUPLICATE', 'There is a user with this address')
    if (address !== '') seen.set(address, earlier ?? row.line)
    if (!user) return []
    assertWithin(administration, user, refuse)
    return [user]
  })
  if (wrong.length > 0) {
    throw validationProblem(
      wrong.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)).slice(0, PROBLEMS_SHOWN_MAXIMUM),
    )
  }
  const people = users.map(({ powers: _powers, ...user }) => user)
  await insertUsers(tx, people)
  await invite(ports, tx, people, context)
  const made = await tx.rows(
    sql<UserData>`SELECT ${sql.raw(USER_COLUMNS)} FROM core.app_user u JOIN core.role r ON r.id = u.role_id
      WHERE u.id = ANY (${people.map(({ id }) => id)}::uuid[]) ORDER BY array_position(${people.map(({ id }) => id)}::uuid[], u.id)`.compile(
      tenantSql,
    ),
  )
  return { users: made, count: made.length }
}

function decoded(content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    throw validationProblem([
      { line: 1, field: '', code: 'NOT_UNICODE', message: 'The file must be UTF-8 text' },
    ])
  }
}

interface Known {
  /** By name, in lower case. */
  readonly roles: ReadonlyMap<string, Powers & { readonly id: string }>
  /** By code, in lower case. */
  readonly companies: ReadonlyMap<string, string>
  /** In lower case: those of the file that users have already. */
  readonly emails: ReadonlySet<string>
}

async function readKnown(tx: TenantTx, rows: readonly InvitationRow[]): Promise<Known> {
  const given = rows.map(({ values }) => foldedEmail(values.email ?? ''))
  const [roles, companies, emails] = await Promise.all([
    tx.rows(
      sql<{ id: string; name: string }>`SELECT id, lower(name) AS name FROM core.role
        WHERE deleted_at IS NULL AND is_active`.compile(tenantSql),
    ),
    tx.rows(
      sql<{ id: string; code: string }>`SELECT id, lower(code) AS code FROM core.company
        WHERE deleted_at IS NULL AND is_active`.compile(tenantSql),
    ),
    tx.rows(
      sql<{ email: string }>`SELECT lower(email) AS email FROM core.app_user
        WHERE deleted_at IS NULL AND lower(email) = ANY (${given})`.compile(tenantSql),
    ),
  ])
  const named = new Set(rows.map(({ values }) => values.role?.toLowerCase()))
  const powers = await Promise.all(
    roles
      .filter(({ name }) => named.has(name))
      .map(async ({ id, name }) => [name, await readRole(tx, id)] as const),
  )
  return {
    roles: new Map(powers),
    companies: new Map(companies.map(({ id, code }) => [code, id])),
    emails: new Set(emails.map((row) => row.email)),
  }
}

type Refuse = (field: string, code: string, message: string) => void

function userOf(
  { values }: InvitationRow,
  known: Known,
  companyId: string,
  newId: () => string,
  refuse: Refuse,
): (NewUser & { powers: Powers }) | undefined {
  const { role: roleName, companies: codes, ...person } = values
  const wrong = bodyProblems(Person, person)
  for (const { field, code, message } of wrong) refuse(field, code, message)
  const role = known.roles.get(roleName?.toLowerCase() ?? '')
  if (!role) refuse('role', 'UNKNOWN_ROLE', `There is no active role "${roleName ?? ''}"`)
  const given =
    codes === undefined || codes === '*' ? [] : codes.split(';').map((code) => code.trim().toLowerCase())
  const unknown = given.filter((code) => !known.companies.has(code))
  for (const code of unknown) refuse('companies', 'UNKNOWN_COMPANY', `There is no company "${code}"`)
  if (wrong.length > 0 || !role || unknown.length > 0) return undefined
  const valid = person as Static<typeof Person>
  return {
    id: newId(),
    fullName: valid.fullName,
    email: valid.email,
    phone: valid.phone ?? null,
    roleId: role.id,
    isActive: true,
    joinDate: valid.joinDate ?? null,
    metadata: {},
    passwordHash: null,
    allCompanies: codes === '*',
    companyIds:
      codes === undefined ? [companyId] : [...new Set(given.map((code) => known.companies.get(code) ?? ''))],
    powers: role,
  }
}

function assertWithin(
  administration: Administration,
  user: NewUser & { powers: Powers },
  refuse: Refuse,
): void {
  const attempts = [
    ['role', () => administration.assertWithin(user.powers)],
    ['companies', () => administration.assertWithinReach(user)],
  ] as const
  for (const [field, attempt] of attempts) {
    try {
      attempt()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      refuse(field, error.code, error.message)
    }
  }
}
