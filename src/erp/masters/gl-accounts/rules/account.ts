/** What a GL account may be: of its parent's type, in no circle, and unchanged in what its postings mean. */
import type { FieldProblem } from '../../../../kernel/problem.ts'

export interface AccountValues {
  readonly id?: string
  readonly type: string
  readonly parentId: string | null
  readonly controlAccount: string
  readonly postingAllowed: boolean
  readonly currency: string | null
}

export interface AccountSurroundings {
  /** The parent named by `parentId`, if there is one, with all accounts above it. */
  readonly parent: { readonly id: string; readonly type: string; readonly code: string } | undefined
  readonly ancestorIds: readonly string[]
  readonly childTypes: readonly string[]
  readonly hasPostings: boolean
  readonly isCurrencyKnown: boolean
}

export function checkAccount(
  values: AccountValues,
  before: AccountValues | undefined,
  around: AccountSurroundings,
): FieldProblem[] {
  return [
    ...checkParent(values, around),
    ...checkChildren(values, around),
    ...checkPostings(values, before, around),
    ...checkCurrency(values, around),
  ]
}

function checkParent(
  { id, parentId, type }: AccountValues,
  { parent, ancestorIds }: AccountSurroundings,
): FieldProblem[] {
  if (parentId === null) return []
  const refuse = (code: string, message: string): FieldProblem[] => [{ field: 'parentId', code, message }]
  if (!parent) return refuse('UNKNOWN_ACCOUNT', 'There is no such parent account')
  if (id !== undefined && (parentId === id || ancestorIds.includes(id))) {
    return refuse('CYCLE', 'An account cannot be below itself')
  }
  if (parent.type !== type) {
    return refuse(
      'WRONG_TYPE',
      `The parent ${parent.code} is of type ${parent.type}, this account of type ${type}`,
    )
  }
  return []
}

function checkChildren({ type }: AccountValues, { childTypes }: AccountSurroundings): FieldProblem[] {
  if (childTypes.every((childType) => childType === type)) return []
  return [{ field: 'type', code: 'HAS_CHILDREN', message: 'The accounts below it are of another type' }]
}

function checkPostings(
  values: AccountValues,
  before: AccountValues | undefined,
  { hasPostings }: AccountSurroundings,
): FieldProblem[] {
  if (!before || !hasPostings) return []
  const fixed = ['type', 'controlAccount', 'currency'] as const
  const message = 'This account has postings; what they mean cannot change'
  const changed = fixed.filter((name) => values[name] !== before[name])
  return changed.map((name) => ({ field: name, code: 'HAS_POSTINGS', message }))
}

function checkCurrency(
  { currency }: AccountValues,
  { isCurrencyKnown }: AccountSurroundings,
): FieldProblem[] {
  if (currency === null || isCurrencyKnown) return []
  const message = `Currency ${currency} is unknown or inactive here`
  return [{ field: 'currency', code: 'UNKNOWN_CURRENCY', message }]
}
