/**
 * Handles: the only way to a database. A handle is one open transaction on one connection; a function
 * that is given a TenantRead cannot write (the compiler says so, and so does PostgreSQL: the transaction
 * is read-only), and no handle exists outside `gate.ts`.
 */
import type { Socket } from 'node:net'
import type pg from 'pg'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import type { Compilable, CompiledQuery } from 'kysely'
import type { ActorKind } from '../kernel/actors.ts'
import type { DB as PlatformSchema } from './schema/platform.ts'
import type { DB as TenantSchema } from './schema/tenant.ts'

/** Who acts, kept with every change they make. */
export interface Actor {
  readonly kind: ActorKind
  readonly id: string | null
  /** Of an integration whose token was narrowed: it gives others no more than this. */
  readonly scopes?: readonly string[]
  readonly requestId: string
  readonly address: string | null
  readonly userAgent?: string | null
}

/** A statement prepared once per connection under its name: for the paths that run all day. */
export interface Statement<Row> {
  readonly name: string
  readonly text: string
  readonly row?: Row
}

export function statement<Row>(name: string, text: string): Statement<Row> {
  // PostgreSQL cuts longer names in silence, and two statements would share one plan.
  if (name.length > STATEMENT_NAME_MAXIMUM) throw new RangeError(`The statement name ${name} is too long`)
  return { name, text }
}

const STATEMENT_NAME_MAXIMUM = 63

type Query<Row> = Compilable<Row> | CompiledQuery<Row>

declare const side: unique symbol

interface Handle<Side extends string> {
  readonly [side]: Side
  readonly actor: Actor
  /** All rows of a query made with `platformSql`, `tenantSql` or kysely's `sql`. */
  rows<Row>(query: Query<Row>): Promise<Row[]>
  row<Row>(query: Query<Row>): Promise<Row | undefined>
  /** The same for a named prepared statement. */
  prepared<Row>(query: Statement<Row>, values: readonly unknown[]): Promise<Row[]>
}

interface Writing {
  readonly writes: true
  /** Number of rows a statement changed. */
  run(query: Query<unknown>): Promise<number>
  /**
   * The last word of a transaction: sent together with the COMMIT behind it, which saves a round trip. Its
   * failure undoes the transaction like any other; `translate` may say it in other words.
   */
  finish(query: Statement<unknown>, values: readonly unknown[], translate?: (error: unknown) => unknown): void
  /** This transaction leaves something that is to be fetched as soon as it has committed, e.g. a mail. */
  callForVisit(): void
}

export interface PlatformRead extends Handle<'platform'> {}
export interface PlatformTx extends PlatformRead, Writing {}

export interface TenantScope {
  readonly tenantId: string
  readonly tenantCode: string
  /** Row-level security shows this company only; null: none is needed (e.g. signing in). */
  readonly companyId: string | null
}

export interface TenantRead extends Handle<'tenant'>, TenantScope {}
export interface TenantTx extends TenantRead, Writing {}

/**
 * Query builders that know the tables and cannot reach a database: they only compile. What they make is
 * executed by a handle, so a query without a handle does not exist.
 */
function compiler<Schema>(): Kysely<Schema> {
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

export const platformSql = compiler<PlatformSchema>()
export const tenantSql = compiler<TenantSchema>()

/** What gate.ts makes; every handle type is a view of it. */
export class Transaction implements Writing {
  declare readonly [side]: never
  readonly writes = true
  readonly actor: Actor
  readonly tenantId: string
  readonly tenantCode: string
  readonly companyId: string | null
  readonly scope: TenantScope | null
  callsForVisit = false
  readonly #client: pg.Client
  readonly #usePreparedStatements: boolean
  readonly #unawaited: Promise<unknown>[] = []
  #ended = false
  #isCommitting = false
  #isGathering = false

  constructor(client: pg.Client, actor: Actor, scope: TenantScope | null, usePreparedStatements: boolean) {
    this.#client = client
    this.#usePreparedStatements = usePreparedStatements
    this.actor = actor
    this.scope = scope
    this.tenantId = scope?.tenantId ?? ''
    this.tenantCode = scope?.tenantCode ?? ''
    this.companyId = scope?.companyId ?? null
  }

  async rows<Row>(query: Query<Row>): Promise<Row[]> {
    return (await this.#send(compiled(query))).rows as Row[]
  }

  async row<Row>(query: Query<Row>): Promise<Row | undefined> {
    return (await this.rows(query))[0]
  }

  async run(query: Query<unknown>): Promise<number> {
    return (await this.#send(compiled(query))).rowCount ?? 0
  }

  async prepared<Row>(query: Statement<Row>, values: readonly unknown[]): Promise<Row[]> {
    const name = this.#usePreparedStatements ? { name: query.name } : {}
    return (await this.#send({ ...name, text: query.text, values: values as unknown[] })).rows as Row[]
  }

  finish(
    query: Statement<unknown>,
    values: readonly unknown[],
    translate: (error: unknown) => unknown = (error) => error,
  ): void {
    const finished = this.prepared(query, values).catch((error: unknown) => {
      throw translate(error)
    })
    finished.catch(() => {}) // told when the commit is awaited
    this.#unawaited.push(finished)
  }

  callForVisit(): void {
    this.callsForVisit = true
  }

  // ---- for the gate alone ------------------------------------------------------------------------------

  /** A connection that says nothing for so long is dead, though nobody told us. */
  begin(text: string, answerMs: number): Promise<unknown> {
    const begun = this.#send({ text, query_timeout: answerMs })
    begun.catch(() => {}) // told by whatever came behind it, or by the gate awaiting it
    return begun
  }

  /** After this the handle refuses; ending the transaction is the gate's business. */
  leave(): void {
    this.#ended = true
  }

  get isCommitting(): boolean {
    return this.#isCommitting
  }

  async commit(): Promise<void> {
    const committed = this.#send({ text: 'COMMIT' })
    this.#ended = true
    this.#isCommitting = true
    committed.catch(() => {}) // what failed before it has the better reason
    await Promise.all(this.#unawaited)
    const { command } = await committed
    if (command !== 'COMMIT') throw new Error('A statement had failed unnoticed: PostgreSQL rolled back')
  }

  /** Whether the connection is of no more use. */
  async rollBack(): Promise<boolean> {
    // A promise left behind by the work cannot write into someone else's transaction.
    this.#ended = true
    try {
      await this.#client.query('ROLLBACK')
      return false
    } catch {
      return true
    }
  }

  #send(query: pg.QueryConfig & { query_timeout?: number }): Promise<pg.QueryResult> {
    if (this.#ended) return Promise.reject(new Error('This transaction has ended; its handle is of no use'))
    this.#gather()
    return this.#client.query(query)
  }

  /** Statements sent in one turn of the event loop leave in one system call instead of one each. */
  #gather(): void {
    if (this.#isGathering) return
    this.#isGathering = true
    const { stream } = (this.#client as unknown as { connection: { stream: Socket } }).connection
    stream.cork()
    process.nextTick(() => {
      this.#isGathering = false
      stream.uncork()
    })
  }
}

function compiled(query: Query<unknown>): pg.QueryConfig {
  const { sql, parameters } = 'compile' in query ? query.compile() : query
  return { text: sql, values: parameters as unknown[] }
}
