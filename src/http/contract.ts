/**
 * The contract of an operation: what it is called, who may call it, what goes in and what comes out. The
 * same schemas validate the request, type the handler, shape the answer and write the OpenAPI document.
 *
 * Glossary
 * - operation: one thing a caller can ask for, mounted as one route
 * - audience: which side of the product it belongs to; decides the base path, the token and the database
 * - permission: `<module>:<ability>`; 'anonymous' needs no token, 'signed-in' any valid one
 * - access: 'read' gets a read-only transaction, 'write' a read-write one, 'steps' a door that opens
 *   several short ones (for work that must not hold a transaction, such as hashing a password)
 */
import { Type, type Static, type TEnum, type TObject, type TSchema, type TUnsafe } from 'typebox'
import { actorKinds } from '../kernel/actors.ts'

export type Audience = 'platform' | 'tenant'
export type Access = 'read' | 'write' | 'steps'
export type Permission = 'anonymous' | 'signed-in' | `${string}:${string}`

/** What a session may be confined by: nothing but mending it is allowed before. */
export const restrictions = ['password-expired', 'second-factor-missing'] as const
export type Restriction = (typeof restrictions)[number]

/** How often a caller may ask. Without one: RATE_LIMIT_PER_MINUTE for who is not signed in, the plan's hourly figure for who is. */
export interface RateLimit {
  /** Of one caller: a signed-in user; or one account from one address. */
  readonly maximum: number
  readonly windowSeconds: number
  /** Field of the body that names the account; such a limit holds over all processes and restarts. */
  readonly account?: string
  /** Counted in the same way, of the signed-in caller: who has found an open session guesses no secret by it. */
  readonly ofCaller?: true
  /** Of one account, from wherever, and from one address, for whichever account; default: `maximum`. */
  readonly perAccount?: number
  readonly perAddress?: number
  /** 'failures': what succeeds is not counted. */
  readonly counts?: 'failures'
}

/** Of passwords: SPEC 6, and at most so many that guessing one account from everywhere, or all from one place, is hopeless. */
export const signInLimit: RateLimit = {
  maximum: 5,
  windowSeconds: 900,
  account: 'email',
  perAccount: 10,
  perAddress: 100,
  counts: 'failures',
}

/** Of passwords and codes asked for again from somebody who is signed in; whether they were right or not. */
export const reproofLimit: RateLimit = { maximum: 10, windowSeconds: 900, ofCaller: true, perAddress: 100 }

/** Asked for by mail: an inbox must not be filled by whoever knows its address. */
export const passwordResetLimit: RateLimit = {
  maximum: 3,
  windowSeconds: 3_600,
  account: 'email',
  perAddress: 30,
}

/** Of one signed-in caller. */
export function perMinute(maximum: number): RateLimit {
  return { maximum, windowSeconds: 60 }
}

export interface Operation {
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the audience's base path, with `{id}` placeholders. */
  readonly path: string
  readonly summary: string
  readonly tag: string
  readonly audience: Audience
  readonly permission: Permission
  readonly access: Access
  readonly params?: TObject
  readonly query?: TObject
  readonly body?: TSchema
  /** Shape of `data` in the success envelope. */
  readonly data: TSchema
  readonly status?: 200 | 201 | 202
  readonly message?: string
  /** Honours Idempotency-Key: the same key and body gets the first answer again. */
  readonly idempotent?: boolean
  /** Answers with an ETag (the row's `updatedAt`), and honours If-Match on updates. */
  readonly versioned?: boolean
  /** Honours If-Match though it answers no version: deletions, and what changes a row's state. */
  readonly isConditional?: boolean
  readonly bodyLimitBytes?: number
  /** Answers with a file instead of the envelope. */
  readonly isDownload?: boolean
  /** Also for tenants that are closed but may still take their data along, e.g. suspended for not paying. */
  readonly isOpenForExport?: boolean
  /** Takes a file of one of these content types instead of JSON; its body is an Upload. */
  readonly accepts?: readonly string[]
  /** Whoever `{id}` is needs no permission: it is about themselves. */
  readonly isOpenToSelf?: boolean
  /**
   * Whether API keys may ask. By default for what needs a permission: what is open to whoever is signed in is about
   * a person's own sessions and passwords.
   */
  readonly isForIntegrations?: boolean
  /** What remains to a session that is confined by one of these. */
  readonly isOpenDuring?: readonly Restriction[]
  /** An operator who is in the tenant as support may ask it without a permission, e.g. to leave. */
  readonly isOpenToSupport?: boolean
  /**
   * Where DUAL_APPROVAL is on, it waits until a second operator approves; an object: only where the body gives one of
   * these fields, any value (true) or one of these. Such an operation takes no secrets: what waits is kept as it was
   * asked for.
   */
  readonly needsApproval?: true | Readonly<Record<string, true | readonly string[]>>
  readonly rateLimit?: RateLimit
}

export function operation<const Shape extends Operation>(shape: Shape): Shape {
  return shape
}

type StaticOr<Schema, Fallback> = Schema extends TSchema ? Static<Schema> : Fallback
type Part<O, Key extends string> = O extends { readonly [K in Key]: infer Schema } ? Schema : undefined

export interface InputOf<O extends Operation> {
  readonly params: StaticOr<Part<O, 'params'>, Record<string, never>>
  readonly query: StaticOr<Part<O, 'query'>, Record<string, never>>
  readonly body: StaticOr<Part<O, 'body'>, undefined>
}

export type DataOf<O extends Operation> = Static<O['data']>

/** An answer that is a file: streamed, never held whole. */
export interface Download {
  readonly stream: AsyncIterable<Uint8Array>
  readonly fileName: string
  readonly contentType: string
  readonly sizeBytes: number
}

/** What an operation with `isDownload` gives as its data. */
export const File = Type.Unsafe<Download>({ type: 'string', format: 'binary' })

/** A file that was sent: held whole, so the operation sets a `bodyLimitBytes`. */
export interface Upload {
  readonly content: Uint8Array
  /** As the caller says. */
  readonly contentType: string
}

/** The body of an operation with `accepts`. */
export const UploadBody = Type.Unsafe<Upload>({ type: 'string', format: 'binary' })

// ---- words shared by all contracts ---------------------------------------------------------------------

export const Id = Type.String({ format: 'uuid', description: 'UUID, version 7' })
export const IdParams = Type.Object({ id: Id })
export const DateText = Type.String({ format: 'date', examples: ['2026-01-31'] })
export const Instant = Type.String({ description: 'Instant in UTC, ISO 8601' })
export const CurrencyCode = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code' })
export const CountryCode = Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2 code' })
export const Email = Type.String({ format: 'email', maxLength: 254 })
/** Exact decimal in an answer: text, never a float. */
export const Amount = Type.String({ description: 'Exact decimal', examples: ['1234.50'] })
/**
 * Exact decimal in a request. A JSON number is taken by its shortest decimal text and refused where a
 * double could not have carried it exactly (over 15 significant digits).
 */
export const AmountInput = Type.Union([Type.String({ maxLength: 42 }), Type.Number()], {
  description: 'Exact decimal, as text ("1234.50") or a JSON number of at most 15 significant digits',
})
export const Nothing = Type.Object({}, { additionalProperties: false })

/**
 * A value or null. Written as a list of types where the schema has one type: alternatives (`anyOf`) would be
 * tried one by one for each value of each row of an answer.
 */
export function nullable<Schema extends TSchema>(schema: Schema): TUnsafe<Static<Schema> | null> {
  const { type, enum: values } = schema as { type?: string; enum?: readonly unknown[] }
  if (typeof type !== 'string') return Type.Unsafe(Type.Union([schema, Type.Null()]))
  return Type.Unsafe({ ...schema, type: [type, 'null'], ...(values ? { enum: [...values, null] } : {}) })
}

export function oneOf<const Values extends readonly string[]>(
  values: Values,
  description?: string,
): TEnum<[...Values]> {
  return Type.Enum<[...Values]>([...values], description === undefined ? {} : { description })
}

export const PAGE_LIMIT_MAXIMUM = 200

/** Query of every paged list; modules spread their filters beside it. */
export const pageQuery = {
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAXIMUM, default: 50 })),
  sort: Type.Optional(Type.String({ maxLength: 64 })),
  order: Type.Optional(oneOf(['asc', 'desc'])),
  search: Type.Optional(Type.String({ maxLength: 200 })),
}

const MomentInput = Type.String({ maxLength: 40, examples: ['2026-01-31T08:00:00Z', '2026-01-31'] })

/** What both audit logs can be asked; paged by key, since they grow for ever. */
export const auditQuery = {
  after: Type.Optional(Type.String({ maxLength: 36, description: '`next` of the page before' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAXIMUM, default: 50 })),
  actorKind: Type.Optional(oneOf(actorKinds)),
  actorId: Type.Optional(Id),
  action: Type.Optional(Type.String({ maxLength: 100 })),
  entity: Type.Optional(Type.String({ maxLength: 100 })),
  entityId: Type.Optional(Id),
  requestId: Type.Optional(Type.String({ maxLength: 128 })),
  from: Type.Optional(MomentInput),
  to: Type.Optional(MomentInput),
  search: Type.Optional(Type.String({ maxLength: 200 })),
}

/** One thing that happened; modules spread what only theirs have beside it. */
export const auditEntry = {
  id: Id,
  at: Instant,
  actorKind: oneOf(actorKinds, 'integration: an API key; system: nobody who is signed in'),
  actorId: nullable(Id),
  actorName: nullable(Type.String()),
  action: Type.String({ examples: ['insert', 'update', 'delete', 'post', 'sign-in', 'sign-out', 'refused'] }),
  entity: Type.String({
    description: 'A table; of refusals the operation',
    examples: ['masters.gl_account'],
  }),
  entityId: nullable(Id),
  requestId: Type.String(),
  address: nullable(Type.String()),
  userAgent: nullable(Type.String()),
  oldValues: Type.Unsafe<Readonly<Record<string, unknown>> | null>({
    type: ['object', 'null'],
    additionalProperties: true,
  }),
  newValues: Type.Unsafe<Readonly<Record<string, unknown>> | null>({
    type: ['object', 'null'],
    additionalProperties: true,
  }),
}

/** A page may hold fewer than `limit`, or none, and yet have a `next`: so far has been looked through, the rest has not. */
export const auditNext = nullable(Type.String({ description: 'For `after`; null: there is nothing more' }))

export const Pagination = Type.Object({
  total: Type.Integer(),
  page: Type.Integer(),
  limit: Type.Integer(),
  totalPages: Type.Integer(),
  hasNext: Type.Boolean(),
  hasPrevious: Type.Boolean(),
})

export function pageOf<const Plural extends string, Item extends TSchema>(plural: Plural, item: Item) {
  return Type.Object({ [plural]: Type.Array(item), pagination: Pagination } as {
    [K in Plural]: ReturnType<typeof Type.Array<Item>>
  } & { pagination: typeof Pagination })
}

/** Which way a list goes that begins with the newest: other columns count upwards where nothing is said. */
export function newestFirst({ sort, order }: { sort?: string; order?: 'asc' | 'desc' }): 'asc' | 'desc' {
  return order ?? (sort === undefined || sort === 'createdAt' ? 'desc' : 'asc')
}

export function paginationOf(total: number, page: number, limit: number): Static<typeof Pagination> {
  const totalPages = Math.ceil(total / limit)
  return { total, page, limit, totalPages, hasNext: page < totalPages, hasPrevious: page > 1 && total > 0 }
}
