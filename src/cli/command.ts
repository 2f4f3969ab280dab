/**
 * A command of `erp`: what it is called, what it takes, and what it does. The same declaration reads the
 * arguments and writes the help, so that no option is missing from either.
 */
import { parseArgs } from 'node:util'

/** The command was called wrongly; its usage is shown. */
export class UsageError extends Error {}

export interface Option {
  readonly type: 'string' | 'boolean'
  /** What stands behind it in the help: `CODE`, `TEXT` … */
  readonly value?: string
  readonly help: string
  readonly default?: string
  readonly required?: boolean
}

export type Options = Readonly<Record<string, Option>>

type ValueOf<O extends Option> = O['type'] extends 'boolean'
  ? boolean
  : O extends { readonly required: true } | { readonly default: string }
    ? string
    : string | undefined

export interface Given<Given extends Options> {
  readonly values: { readonly [Name in keyof Given]: ValueOf<Given[Name]> }
  readonly positionals: readonly string[]
}

export interface Command<Taken extends Options = Options> {
  /** One word, or two: `tenants create`. */
  readonly name: string
  readonly summary: string
  /** What comes without a name, in order; in brackets what may be left out. */
  readonly arguments?: readonly string[]
  readonly options?: Taken
  readonly run: (given: Given<Taken>) => Promise<void>
}

export function command<const Taken extends Options>(shape: Command<Taken>): Command {
  return shape as unknown as Command
}

/** Reads the arguments as declared: what is not understood, missing or too much is the caller's mistake. */
export async function runCommand(command: Command, arguments_: readonly string[]): Promise<void> {
  const { options = {}, arguments: expected = [] } = command
  const { values, positionals } = parsed(arguments_, options)
  if (positionals.length > expected.length) throw new UsageError(`"${positionals.at(-1)}" is one too many`)
  const missing = expected[positionals.length]
  if (missing !== undefined && !missing.startsWith('[')) throw new UsageError(`${missing} is missing`)
  for (const [name, { required }] of Object.entries(options)) {
    if (required && values[name] === undefined) throw new UsageError(`--${name} is missing`)
  }
  const flags = Object.entries(options).filter(([, { type }]) => type === 'boolean')
  const all = { ...Object.fromEntries(flags.map(([name]) => [name, false])), ...values }
  await command.run({ values: all as Given<Options>['values'], positionals })
}

function parsed(
  arguments_: readonly string[],
  options: Options,
): { values: Readonly<Record<string, unknown>>; positionals: string[] } {
  const plain = Object.entries(options).map(([name, { type, default: value }]) => [
    name,
    { type, ...(value === undefined ? {} : { default: value }) },
  ])
  try {
    return parseArgs({ args: [...arguments_], options: Object.fromEntries(plain), allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** `erp tenants suspend CODE --reason TEXT` */
export function usageOf({ name, arguments: expected = [], options = {} }: Command): string {
  const named = Object.entries(options).map(([option, { required, ...shape }]) => {
    const text = written(option, shape)
    return required ? text : `[${text}]`
  })
  return ['erp', name, ...expected, ...named].join(' ')
}

export function helpOf(command: Command): string {
  const { name, arguments: expected = [], options = {}, summary } = command
  const entries = Object.entries(options).map(([option, shape]) => [written(option, shape), shape] as const)
  const width = Math.max(0, ...entries.map(([text]) => text.length))
  const lines = entries.map(([text, { help, required, default: value }]) => {
    const note = required ? ' (needed)' : value === undefined ? '' : ` (default: ${value})`
    return `        ${text.padEnd(width)}  ${help}${note}\n`
  })
  return `  ${['erp', name, ...expected].join(' ')}\n      ${summary}\n${lines.join('')}`
}

function written(option: string, { type, value }: Pick<Option, 'type' | 'value'>): string {
  return type === 'boolean' ? `--${option}` : `--${option} ${value ?? 'TEXT'}`
}
