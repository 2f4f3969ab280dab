/** The identity provider of a tenant: set up, changed, tried, and forgotten. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { InputOf } from '../../../http/contract.ts'
import { assertUnchanged } from '../../../http/etag.ts'
import { callerOf, implement, type Route, type TenantContext } from '../../../http/route.ts'
import { Problem, problems, validationProblem, type FieldProblem } from '../../../kernel/problem.ts'
import { statement, tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import { Administration } from '../administration.ts'
import { type IdentityPorts } from '../ports.ts'
import { identityProblems } from '../problems.ts'
import { readRole } from '../roles/operations.ts'
import {
  deleteSingleSignOn,
  getSingleSignOn,
  RETURN_PATH,
  testSingleSignOn,
  updateSingleSignOn,
  type SingleSignOn,
} from './contract.ts'

type Shown = Static<typeof SingleSignOn>
type Given = InputOf<typeof updateSingleSignOn>['body']

export interface SettingsRow extends Omit<Shown, 'hasClientSecret' | 'redirectUris'> {
  readonly id: string
  readonly sealedClientSecret: string | null
}

const EVERYTHING = '*'
const DOMAIN =
  /^(?=.{3,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/

export function settingsRoutes(ports: IdentityPorts): Route[] {
  const { identityProviders: providers } = ports
  const shown = async (row: SettingsRow | undefined, tenantId: string): Promise<Shown> => {
    if (!row) throw new Problem(problems.notFound, { message: 'Single sign-on is not set up' })
    const { id: _id, sealedClientSecret, ...settings } = row
    const redirectUris = await redirectUrisOf(ports, tenantId)
    return { ...settings, hasClientSecret: sealedClientSecret !== null, redirectUris }
  }
  return [
    implement(getSingleSignOn, async (door, _input, { tenant }) =>
      shown(await door.read(readSettings), tenant.tenantId),
    ),
    implement(updateSingleSignOn, async (door, { body }, context) => {
      const saved = await door.write((tx) => save(ports, tx, body, context))
      return shown(saved, context.tenant.tenantId)
    }),
    implement(deleteSingleSignOn, async (tx, _input, context) => {
      const row = await readSettings(tx)
      if (!row) throw new Problem(problems.notFound, { message: 'Single sign-on is not set up' })
      assertUnchanged(context.ifMatch, row)
      await assertAdministrator(tx, context)
      await tx.run(sql`DELETE FROM core.single_sign_on`.compile(tenantSql))
      await tx.run(sql`DELETE FROM core.single_sign_on_attempt`.compile(tenantSql))
      await tx.run(sql`DELETE FROM core.user_identity`.compile(tenantSql))
      return {}
    }),
    implement(testSingleSignOn, async (door, { body }, context) => {
      await door.write((tx) => assertAdministrator(tx, context))
      const refusal = providers.refusedIssuer(body.issuer)
      if (refusal !== undefined) return { isWorking: false, message: refusal, authorizationEndpoint: null }
      try {
        const found = await providers.test(body.issuer)
        return { isWorking: true, message: 'The identity provider answers as it should', ...found }
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        return { isWorking: false, message: error.message, authorizationEndpoint: null }
      }
    }),
  ]
}

/** Where the identity provider may send people back to: nowhere but to ourselves. */
export async function redirectUrisOf(ports: IdentityPorts, tenantId: string): Promise<string[]> {
  return (await ports.addressesOf(tenantId)).map((address) => `${address}${RETURN_PATH}`)
}

/** Bound to the row: a sealed secret moved to another one does not open. */
export function clientSecretContext(id: string): string {
  return `single-sign-on/${id}`
}

export async function readSettings(tx: TenantRead): Promise<SettingsRow | undefined> {
  const [row] = await tx.prepared(SETTINGS, [])
  return row
}

/** For the operator's command line: the way back in when an identity provider keeps everybody out. */
export async function switchOffSingleSignOn(tx: TenantTx): Promise<boolean> {
  const off = sql`UPDATE core.single_sign_on SET is_enabled = false, is_required = false
    WHERE is_enabled OR is_required`
  return (await tx.run(off.compile(tenantSql))) > 0
}

const SETTINGS = statement<SettingsRow>(
  'identity-single-sign-on',
  `SELECT id, label, issuer, client_id AS "clientId", sealed_client_secret AS "sealedClientSecret",
     allowed_domains AS "allowedDomains", default_role_id AS "defaultRoleId", all_companies AS "allCompanies",
     company_ids::text[] AS "companyIds", is_enabled AS "isEnabled", is_required AS "isRequired",
     created_at AS "createdAt", updated_at AS "updatedAt"
   FROM core.single_sign_on`,
)

// ---- changing ------------------------------------------------------------------------------------------

type Values = Omit<SettingsRow, 'createdAt' | 'updatedAt'>

async function save(
  ports: IdentityPorts,
  tx: TenantTx,
  given: Given,
  context: TenantContext,
): Promise<SettingsRow | undefined> {
  const administration = await assertAdministrator(tx, context)
  const before = await readSettings(tx)
  if (before) assertUnchanged(context.ifMatch, before)
  const { clientSecret, ...rest } = given
  const id = before?.id ?? context.newId()
  const values: Values = {
    label: 'OpenID Connect',
    issuer: '',
    clientId: '',
    sealedClientSecret: null,
    allowedDomains: [],
    defaultRoleId: null,
    allCompanies: false,
    companyIds: [],
    isEnabled: false,
    isRequired: false,
    ...before,
    ...rest,
    id,
  }
  const domains = [...new Set(values.allowedDomains.map((domain) => domain.trim().toLowerCase()))]
  const wrong = [
    ...missing(values),
    ...issuerProblems(ports, given.issuer),
    ...domainProblems(domains),
    ...secretProblems(before, given),
    ...(await roleProblems(tx, administration, values.defaultRoleId)),
    ...(await companyProblems(tx, values)),
  ]
  if (wrong.length > 0) throw validationProblem(wrong)
  const sealed =
    clientSecret === undefined
      ? values.sealedClientSecret
      : clientSecret === null || clientSecret === ''
        ? null
        : ports.secrets.seal(clientSecret, clientSecretContext(id))
  const row = {
    label: values.label.trim(),
    issuer: values.issuer,
    client_id: values.clientId,
    sealed_client_secret: sealed,
    allowed_domains: domains,
    default_role_id: values.defaultRoleId,
    all_companies: values.allCompanies,
    company_ids: values.allCompanies ? [] : [...new Set(values.companyIds)],
    is_enabled: values.isEnabled,
    is_required: values.isRequired,
  }
  await tx.run(
    tenantSql
      .insertInto('core.single_sign_on')
      .values({ id, ...row })
      .onConflict((conflict) => conflict.column('is_only').doUpdateSet(row)),
  )
  return readSettings(tx)
}

/** Whoever names the identity provider can be anybody: the one who may is whoever may do everything already. */
async function assertAdministrator(tx: TenantTx, context: TenantContext): Promise<Administration> {
  const administration = await Administration.begin(tx, callerOf(context).id)
  administration.assertWithin({
    permissions: [EVERYTHING],
    discountPercentMaximum: null,
    discountAmountMaximum: null,
  })
  administration.assertWithinReach({ allCompanies: true, companyIds: [] })
  return administration
}

function missing({ issuer, clientId, allowedDomains, label }: Values): FieldProblem[] {
  const absent = [
    ...(issuer === '' ? ['issuer'] : []),
    ...(clientId.trim() === '' ? ['clientId'] : []),
    ...(allowedDomains.length === 0 ? ['allowedDomains'] : []),
    ...(label.trim() === '' ? ['label'] : []),
  ]
  return absent.map((field) => ({ field, code: 'REQUIRED', message: `${field} is missing` }))
}

function issuerProblems(ports: IdentityPorts, issuer: string | undefined): FieldProblem[] {
  const refusal = issuer === undefined ? undefined : ports.identityProviders.refusedIssuer(issuer)
  return refusal === undefined ? [] : [{ field: 'issuer', code: 'FORMAT', message: refusal }]
}

function domainProblems(domains: readonly string[]): FieldProblem[] {
  return domains
    .filter((domain) => !DOMAIN.test(domain))
    .map((domain) => ({
      field: `allowedDomains[${domains.indexOf(domain)}]`,
      code: 'FORMAT',
      message: `${domain} is no domain such as example.com`,
    }))
}

/** Another provider is not told the secret that was meant for this one. */
function secretProblems(before: SettingsRow | undefined, given: Given): FieldProblem[] {
  const isElsewhere = before && given.issuer !== undefined && given.issuer !== before.issuer
  if (!isElsewhere || before.sealedClientSecret === null || given.clientSecret !== undefined) return []
  const message = 'Another identity provider needs its client secret'
  return [{ field: 'clientSecret', code: 'REQUIRED', message }]
}

async function roleProblems(
  tx: TenantRead,
  administration: Administration,
  roleId: string | null,
): Promise<FieldProblem[]> {
  if (roleId === null) return []
  const refuse = (code: string, message: string): FieldProblem[] => [
    { field: 'defaultRoleId', code, message },
  ]
  const role = await readRole(tx, roleId).catch((error: unknown) => {
    if (error instanceof Problem && error.status === 404) return undefined
    throw error
  })
  if (!role) return refuse('UNKNOWN_ROLE', 'There is no such role')
  if (!role.isActive) return refuse('INACTIVE_ROLE', 'This role is not active')
  if (role.permissions.includes(EVERYTHING)) {
    return refuse('ROLE_TOO_STRONG', identityProblems.noAdministratorsByThemselves.message)
  }
  administration.assertWithin(role)
  return []
}

async function companyProblems(tx: TenantRead, values: Values): Promise<FieldProblem[]> {
  if (values.defaultRoleId === null || values.allCompanies) return []
  if (values.companyIds.length === 0) {
    const message = 'Who is given an account works in at least one company, or in all of them'
    return [{ field: 'companyIds', code: 'REQUIRED', message }]
  }
  const known = await tx.rows(
    sql<{ id: string }>`SELECT id FROM core.company WHERE deleted_at IS NULL
      AND id = ANY (${[...values.companyIds]}::uuid[])`.compile(tenantSql),
  )
  const unknown = values.companyIds.filter((id) => !known.some((company) => company.id === id.toLowerCase()))
  return unknown.map((id) => ({
    field: `companyIds[${values.companyIds.indexOf(id)}]`,
    code: 'UNKNOWN_COMPANY',
    message: 'There is no such company',
  }))
}
