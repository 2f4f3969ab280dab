/**
 * A route joins an operation's contract with the function that carries it out. The function's first
 * argument is its only database: a transaction of the kind the contract asks for, or a door that opens
 * several short ones.
 */
import type { Actor, PlatformRead, PlatformTx, TenantRead, TenantTx } from '../tenancy/handles.ts'
import type { TenantLocation } from '../tenancy/gate.ts'
import { Problem, problems } from '../kernel/problem.ts'
import type { DataOf, InputOf, Operation, Restriction } from './contract.ts'

/** Who is signed in, as the token and its session say. */
export interface Principal {
  /** An integration is an API key: its id is the key's, and it has no session but itself. */
  readonly kind: 'user' | 'operator' | 'integration'
  readonly id: string
  readonly sessionId: string
  /** What the scopes of an integration say, where its token was narrowed. */
  readonly scopes?: readonly string[]
  readonly companyId: string | null
  readonly permissions: ReadonlySet<string>
  /** What must be mended before anything else is allowed. */
  readonly restriction?: Restriction | undefined
  /** Of an operator who is in a tenant for a while. */
  readonly support?: SupportPass
}

/** How an operator is in a tenant. */
export interface SupportPass {
  /** Without it, nothing is changed: neither allowed, nor possible in the transactions that are opened. */
  readonly mayChange: boolean
  /** Evidence for the tenant, written before the operation begins. */
  readonly witness: (operation: string) => Promise<void>
}

export interface RequestContext {
  readonly actor: Actor
  /** undefined only where the permission is 'anonymous'. */
  readonly principal: Principal | undefined
  readonly now: Date
  readonly userAgent: string | null
  readonly ifMatch: string | undefined
  readonly newId: () => string
  /** What the handler may say about its answer beside the data. */
  readonly answer: { status?: number; message?: string }
}

/** Who is signed in, where somebody must be. */
export function callerOf({ principal }: RequestContext): Principal {
  if (!principal) throw new Problem(problems.authenticationRequired)
  return principal
}

export interface TenantContext extends RequestContext {
  readonly tenant: TenantLocation
}

export interface TenantDoor {
  read<Result>(work: (tx: TenantRead) => Promise<Result>): Promise<Result>
  write<Result>(work: (tx: TenantTx) => Promise<Result>): Promise<Result>
}

export interface PlatformDoor {
  read<Result>(work: (tx: PlatformRead) => Promise<Result>): Promise<Result>
  write<Result>(work: (tx: PlatformTx) => Promise<Result>): Promise<Result>
}

type Choice<A, Read, Write, Steps> = A extends 'read' ? Read : A extends 'write' ? Write : Steps
type DatabaseOf<O extends Operation> = O['audience'] extends 'tenant'
  ? Choice<O['access'], TenantRead, TenantTx, TenantDoor>
  : Choice<O['access'], PlatformRead, PlatformTx, PlatformDoor>
type ContextOf<O extends Operation> = O['audience'] extends 'tenant' ? TenantContext : RequestContext

export type Handler<O extends Operation> = (
  database: DatabaseOf<O>,
  input: InputOf<O>,
  context: ContextOf<O>,
) => Promise<DataOf<O>>

export interface GroupMember<O extends Operation> {
  readonly input: InputOf<O>
  readonly context: ContextOf<O>
}

/**
 * Carries out several requests of one company in one transaction. A request that is refused gets its
 * Problem as a value, so that the others stand; anything thrown undoes the group, and each is tried alone.
 */
export interface Grouping<O extends Operation, Loaded = unknown> {
  readonly applies: (input: InputOf<O>) => boolean
  /** What the members look up, read together in one round trip. */
  readonly load: (tx: TenantTx, inputs: readonly InputOf<O>[]) => Promise<Loaded>
  readonly handle: (
    tx: TenantTx,
    members: readonly GroupMember<O>[],
    loaded: Loaded,
  ) => Promise<readonly (DataOf<O> | Problem)[]>
}

export interface Route {
  readonly operation: Operation
  readonly handle: Handler<Operation>
  readonly grouping: Grouping<Operation> | undefined
}

export function implement<O extends Operation, Loaded = unknown>(
  operation: O,
  handle: Handler<O>,
  grouping?: Grouping<O, Loaded>,
): Route {
  return {
    operation,
    handle: handle as unknown as Handler<Operation>,
    grouping: grouping as unknown as Grouping<Operation> | undefined,
  }
}
