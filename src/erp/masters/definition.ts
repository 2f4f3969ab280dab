/**
 * Master data: one definition per entity, from which its routes, schemas, OpenAPI, list, filters and forms
 * come. See CONTRIBUTING for how to add one.
 *
 * Glossary
 * - master: what documents refer to and users maintain: accounts, units, currencies, customers …
 * - field: one value of a master, with its schema, its column and how it is filtered and sorted
 */
import { Type, type TObject, type TSchema } from 'typebox'
import {
  AmountInput,
  CurrencyCode,
  DateText,
  Id,
  IdParams,
  Instant,
  Nothing,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
  type Operation,
} from '../../http/contract.ts'

export type FieldKind = 'text' | 'decimal' | 'boolean' | 'date' | 'reference' | 'integer'

export interface Field {
  readonly kind: FieldKind
  /** What a caller sends. */
  readonly input: TSchema
  /** What a caller gets. */
  readonly output: TSchema
  readonly isRequired: boolean
  readonly defaultValue: string | number | boolean | null
  /** For decimals: the most places kept. */
  readonly placesMaximum: number
  /** Text that people read: sorted as words are, not by bytes. */
  readonly isWords: boolean
}

export interface MasterDefinition {
  /** Table in schema `masters`. */
  readonly table: string
  readonly singular: string
  readonly plural: string
  /** Below `/masters/`, and the module of its permissions. */
  readonly path: string
  readonly title: string
  readonly tag: string
  /** Kept by each company, or once for the tenant. */
  readonly scope: 'company' | 'tenant'
  readonly fields: Readonly<Record<string, Field>>
  readonly searched: readonly string[]
  readonly filtered: readonly string[]
  readonly sorted: readonly string[]
  /** Fields no two rows share: a list sorted by one has one order only, which an index gives. */
  readonly unique: readonly string[]
  readonly defaultSort: { readonly field: string; readonly order: 'asc' | 'desc' }
}

interface Options {
  readonly required?: boolean
  readonly nullable?: boolean
  readonly default?: string | number | boolean | null
  readonly description?: string
}

export const field = {
  text: (options: Options & { maxLength: number; pattern?: string }): Field =>
    make(
      'text',
      Type.String({
        minLength: 1,
        maxLength: options.maxLength,
        ...(options.pattern === undefined ? {} : { pattern: options.pattern }),
        ...(options.description === undefined ? {} : { description: options.description }),
      }),
      Type.String(),
      options,
    ),
  /** Text that people read, such as a name. Where it is sorted and the rows are many, an index serves it (CONTRIBUTING). */
  words: (options: Options & { maxLength: number }): Field => ({ ...field.text(options), isWords: true }),
  choice: <const Values extends readonly string[]>(values: Values, options: Options = {}): Field =>
    make('text', oneOf(values, options.description), oneOf(values), options),
  flag: (defaultValue: boolean): Field =>
    make('boolean', Type.Boolean(), Type.Boolean(), { default: defaultValue }),
  integer: (options: Options & { minimum: number; maximum: number }): Field =>
    make(
      'integer',
      Type.Integer({ minimum: options.minimum, maximum: options.maximum }),
      Type.Integer(),
      options,
    ),
  decimal: (options: Options & { places: number }): Field => ({
    ...make('decimal', AmountInput, Type.String({ description: 'Exact decimal' }), options),
    placesMaximum: options.places,
  }),
  date: (options: Options = {}): Field => make('date', DateText, DateText, options),
  reference: (options: Options = {}): Field => make('reference', Id, Id, options),
  currency: (options: Options = {}): Field => make('text', CurrencyCode, Type.String(), options),
}

function make(kind: FieldKind, input: TSchema, output: TSchema, options: Options): Field {
  const isNullable = options.nullable ?? false
  return {
    kind,
    input: isNullable ? nullable(input) : input,
    output: isNullable ? nullable(output) : output,
    isRequired: options.required ?? false,
    defaultValue: options.default ?? null,
    placesMaximum: 0,
    isWords: false,
  }
}

/** `postingAllowed` → `posting_allowed` */
export function columnOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export interface MasterOperations {
  readonly list: Operation
  readonly get: Operation
  readonly create: Operation
  readonly update: Operation
  readonly remove: Operation
}

export function outputOf(definition: MasterDefinition): TObject {
  const fields = Object.entries(definition.fields).map(([name, { output }]) => [name, output])
  return Type.Object({ id: Id, ...Object.fromEntries(fields), createdAt: Instant, updatedAt: Instant })
}

/** The five operations every master has. */
export function masterOperations(definition: MasterDefinition): MasterOperations {
  const { path, plural, singular, title, tag } = definition
  const base = { tag, audience: 'tenant' } as const
  const [one, many] = [capital(singular), capital(plural)]
  const output = outputOf(definition)
  const at = `/masters/${path}`
  return {
    list: operation({
      ...base,
      name: `list${many}`,
      method: 'GET',
      path: at,
      summary: `${title}: list with search, filters, sort and paging`,
      permission: `${path}:view`,
      access: 'read',
      query: listQuery(definition),
      data: pageOf(plural, output),
    }),
    get: operation({
      ...base,
      name: `get${one}`,
      method: 'GET',
      path: `${at}/{id}`,
      summary: `${title}: one`,
      permission: `${path}:view`,
      access: 'read',
      params: IdParams,
      data: output,
      versioned: true,
    }),
    create: operation({
      ...base,
      name: `create${one}`,
      method: 'POST',
      path: at,
      summary: `${title}: create`,
      permission: `${path}:add`,
      access: 'write',
      status: 201,
      idempotent: true,
      body: inputOf(definition, 'create'),
      data: output,
      versioned: true,
    }),
    update: operation({
      ...base,
      name: `update${one}`,
      method: 'PUT',
      path: `${at}/{id}`,
      summary: `${title}: change the fields that are given`,
      permission: `${path}:edit`,
      access: 'write',
      params: IdParams,
      body: inputOf(definition, 'update'),
      data: output,
      versioned: true,
    }),
    remove: operation({
      ...base,
      name: `delete${one}`,
      method: 'DELETE',
      path: `${at}/{id}`,
      summary: `${title}: delete; refused while others refer to it (deactivate it instead)`,
      permission: `${path}:delete`,
      access: 'write',
      params: IdParams,
      data: Nothing,
      isConditional: true,
    }),
  }
}

function inputOf({ fields }: MasterDefinition, purpose: 'create' | 'update'): TObject {
  const entries = Object.entries(fields).map(([name, { input, isRequired }]) => [
    name,
    purpose === 'create' && isRequired ? input : Type.Optional(input),
  ])
  const minimum = purpose === 'update' ? { minProperties: 1 } : {}
  return Type.Object(Object.fromEntries(entries), { additionalProperties: false, ...minimum })
}

function listQuery({ fields, filtered, sorted }: MasterDefinition): TObject {
  const filters = filtered.map((name) => [name, Type.Optional(filterSchema(fields[name]))])
  return Type.Object(
    { ...pageQuery, sort: Type.Optional(oneOf(sorted)), ...Object.fromEntries(filters) },
    { additionalProperties: false },
  )
}

function filterSchema(filtered: Field | undefined): TSchema {
  if (filtered?.kind === 'boolean') return Type.Boolean()
  if (filtered?.kind === 'reference') return Id
  if (filtered?.kind === 'date') return DateText
  return Type.String({ maxLength: 100 })
}

function capital(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1)
}
