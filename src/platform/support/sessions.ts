/**
 * Support sessions: an operator in a tenant for a while. Two databases cannot commit together, so the order is fixed:
 * requested (platform) → let in (tenant) → active (platform) → token. Whoever dies in between leaves no token, and
 * `tend` ends what was begun. A token is good as long as both databases say so.
 */
import { randomBytes } from 'node:crypto'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import type { InputOf } from '../../http/contract.ts'
import type { PlatformDoor, Principal, RequestContext, TenantContext } from '../../http/route.ts'
import { Principals } from '../../http/sessions.ts'
import { hashSecret, type Tokens } from '../../http/tokens.ts'
import type { StepWatch } from '../../jobs/steps.ts'
import type { Outbox } from '../../mail/outbox.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import type { Actor, PlatformTx, TenantTx } from '../../tenancy/handles.ts'
import { admitSupport, dismissSupport, supportPermissions, supportStay } from '../../erp/onboarding.ts'
import { announce } from '../announcements.ts'
import { operatorPermissions, operatorRoles, type OperatorRole } from '../operators/rules/permissions.ts'
import type { TenantDirectory } from '../tenants/directory.ts'
import { REASON_LENGTH_MINIMUM, type beginSupportSession } from './contract.ts'
import * as records from './records.ts'
import { SupportWitness } from './witness.ts'

export interface SupportSessionsPorts {
  readonly gate: Gate
  readonly directory: TenantDirectory
  readonly tokens: Tokens
  readonly mails: Outbox<TenantTx>
  /** What a tenant's roles can be given. */
  readonly declared: ReadonlySet<string>
  /** `http://acme.localhost:3000` */
  readonly addressOf: (subdomain: string) => string
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop here. */
  readonly atStep?: StepWatch | undefined
}

const PRINCIPALS_MAXIMUM = 1_000
const CODE_SECONDS = 60
const MINUTES_DEFAULT = 60
const NEEDED = 'support-sessions:add'
const rolesOfSupport = operatorRoles.filter((role) => operatorPermissions[role].includes(NEEDED))
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'support-sessions', address: null }

type Wish = InputOf<typeof beginSupportSession>['body']

export class SupportSessions {
  readonly witness: SupportWitness
  readonly #ports: SupportSessionsPorts
  readonly #principals = new Principals(PRINCIPALS_MAXIMUM)

  constructor(ports: SupportSessionsPorts) {
    this.#ports = ports
    this.witness = new SupportWitness(ports.gate, ports.log)
  }

  // ---- beginning ---------------------------------------------------------------------------------------

  async begin(door: PlatformDoor, tenantId: string, wish: Wish, context: RequestContext) {
    const { directory, addressOf, tokens, atStep } = this.#ports
    const { principal, now } = context
    if (!principal) throw new Problem(problems.authenticationRequired)
    const reason = wish.reason.trim()
    if (reason.length < REASON_LENGTH_MINIMUM) {
      const message = `reason needs at least ${REASON_LENGTH_MINIMUM} characters`
      throw validationProblem([{ field: 'reason', code: 'TOO_SHORT', message }])
    }
    const tenant = await directory.byId(tenantId)
    if (!tenant) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
    if (tenant.closedBecause) throw tenant.closedBecause
    const request: records.SupportRequest = {
      id: context.newId(),
      tenantId,
      operatorId: principal.id,
      operatorSessionId: principal.sessionId,
      reason,
      access: wish.access ?? 'read',
      expiresAt: new Date(now.getTime() + (wish.minutes ?? MINUTES_DEFAULT) * 60_000),
      address: context.actor.address,
      userAgent: context.userAgent,
    }
    const url = addressOf(await directory.subdomainOfTenant(tenantId))
    const operator = await door.write((tx) => records.insertRequest(tx, request))
    await atStep?.('support: request', 'after')
    const { companyId, expiresAt } = await this.#admitted(door, tenant.location, request, operator, url, wish, context) // prettier-ignore
    await atStep?.('support: admit', 'after')
    const entry = await door.write(async (tx) => {
      await records.activate(tx, { id: request.id, tenantId, expiresAt })
      return this.#newEntry(tx, request.id, url, now)
    })
    const seconds = Math.floor((expiresAt.getTime() - now.getTime()) / 1000)
    const token = await tokens.sign(
      'support',
      {
        userId: operator.id,
        email: operator.email,
        roleId: '',
        tenantId,
        companyId,
        sessionId: request.id,
      },
      now,
      seconds,
    )
    const session = await door.read((tx) => records.readSession(tx, request.id))
    return { session, token, expiresIn: seconds, entry }
  }

  async #admitted(
    door: PlatformDoor,
    location: TenantLocation,
    request: records.SupportRequest,
    operator: records.SupportOperator,
    url: string,
    { companyCode }: Wish,
    { actor, now, userAgent }: RequestContext,
  ) {
    const { gate, mails } = this.#ports
    const { id: sessionId, tenantId, reason, access, expiresAt } = request
    const link = `${url}/settings/support-access`
    const admission = { sessionId, operator, reason, access, companyCode, expiresAt, now, address: actor.address, userAgent, link } // prettier-ignore
    try {
      return await gate.writeTenant(location, null, actor, (tx) => admitSupport(tx, mails, admission))
    } catch (error) {
      // The tenant has said no. Anything else may or may not have happened: `tend` finds out.
      if (error instanceof Problem && error.status < 500) {
        await door.write((tx) => records.markRefused(tx, sessionId, tenantId, error.code))
      }
      throw error
    }
  }

  /** Another code for a session that is running, of the operator who asks. */
  async enterAgain(tx: PlatformTx, id: string, { principal, now }: RequestContext) {
    const { directory, addressOf } = this.#ports
    const session = await records.readSession(tx, id)
    if (session.operatorId !== principal?.id) {
      throw new Problem(problems.permissionDenied, { message: 'This is the session of another operator' })
    }
    if (session.state !== 'active' || new Date(session.expiresAt) <= now) {
      throw new Problem(problems.conflict, { message: 'This support session is over' })
    }
    return this.#newEntry(tx, id, addressOf(await directory.subdomainOfTenant(session.tenantId)), now)
  }

  async #newEntry(tx: PlatformTx, id: string, url: string, now: Date) {
    const code = randomBytes(32).toString('base64url')
    const expiresAt = new Date(now.getTime() + CODE_SECONDS * 1000)
    await records.setCode(tx, id, hashSecret(code), expiresAt)
    return { url: `${url}/support`, code, expiresAt: expiresAt.toISOString() }
  }

  /** The tenant's side of it: the code is taken, whatever comes after. */
  async redeem(code: string, { tenant, now, actor }: TenantContext) {
    const { gate, tokens, declared } = this.#ports
    const { tenantId } = tenant
    const taken = await gate.writePlatform(actor, (tx) => records.takeCode(tx, tenantId, hashSecret(code)))
    const stay = taken && (await gate.readTenant(tenant, null, actor, (tx) => supportStay(tx, taken.id)))
    if (!stay) return undefined
    const expiresIn = Math.floor((new Date(stay.expiresAt).getTime() - now.getTime()) / 1000)
    const claims = {
      userId: stay.operatorId,
      email: stay.operatorEmail,
      roleId: '',
      tenantId,
      companyId: stay.companyId,
      sessionId: taken.id,
    }
    const token = await tokens.sign('support', claims, now, expiresIn)
    const permissions = supportPermissions(declared, stay.mayChange)
    return { token, expiresIn, sessionId: taken.id, permissions }
  }

  // ---- being there -------------------------------------------------------------------------------------

  readonly authenticate = (sessionId: string, tenant: TenantLocation): Promise<Principal> =>
    this.#principals.of(sessionId, () => this.#principal(sessionId, tenant))

  async #principal(sessionId: string, tenant: TenantLocation): Promise<Principal | undefined> {
    const { gate, declared } = this.#ports
    const live = await gate.readPlatform(SYSTEM, (tx) =>
      records.liveOperatorRole(tx, sessionId, tenant.tenantId),
    )
    if (!live || !operatorPermissions[live.role as OperatorRole].includes(NEEDED)) return undefined
    const stay = await gate.readTenant(tenant, null, SYSTEM, (tx) => supportStay(tx, sessionId))
    if (!stay || stay.operatorId !== live.operatorId) return undefined
    return {
      kind: 'operator',
      id: live.operatorId,
      sessionId,
      companyId: stay.companyId,
      permissions: supportPermissions(declared, stay.mayChange),
      support: {
        mayChange: stay.mayChange,
        witness: (operation) => this.witness.saw(sessionId, tenant, operation),
      },
    }
  }

  /** Few are in at a time: whatever may concern one is looked up again for all. */
  forgetAll(): void {
    this.#principals.forgetAll()
  }

  async tellConsent(): Promise<void> {
    this.forgetAll()
    await this.#ports.gate.writePlatform(SYSTEM, (tx) => announce(tx, { kind: 'support' }))
  }

  // ---- ending ------------------------------------------------------------------------------------------

  async end(id: string, tenantId: string, reason: string, actor: Actor): Promise<void> {
    const { gate, directory, atStep } = this.#ports
    const ending = await gate.writePlatform(actor, async (tx) => {
      const marked = await records.markEnding(tx, id, tenantId, reason)
      if (marked) await announce(tx, { kind: 'support' })
      return marked
    })
    this.forgetAll()
    if (!ending) return
    await atStep?.('support: ending', 'after')
    const location = ending.isTenantGone ? undefined : (await directory.byId(tenantId))?.location
    let written: { endReason: string; requestCount: number } | undefined
    if (location) {
      await this.witness.write(id)
      written = await gate.writeTenant(location, null, actor, (tx) => dismissSupport(tx, id, ending.reason))
    }
    await gate.writePlatform(actor, (tx) =>
      records.markEnded(tx, ending, written ?? { endReason: ending.reason, requestCount: 0 }),
    )
  }

  async endAllIn(tenantId: string, reason: string): Promise<void> {
    const running = await this.#ports.gate.readPlatform(SYSTEM, (tx) => records.runningIn(tx, tenantId))
    for (const { id } of running) await this.end(id, tenantId, reason, SYSTEM)
  }

  /** Ends what is over, and what a process left half done. May run in several processes. */
  async tend(): Promise<void> {
    const over = await this.#ports.gate.readPlatform(SYSTEM, (tx) => records.forgotten(tx, rolesOfSupport))
    for (const { id, tenantId, reason } of over) {
      await this.end(id, tenantId, reason, SYSTEM).catch((error: unknown) =>
        this.#ports.log('warn', `Support session ${id} could not be ended yet: ${String(error)}`),
      )
    }
  }
}
