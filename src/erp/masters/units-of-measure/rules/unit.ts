/** A unit converts into its category's base unit by an exact factor; the base unit is 1 of itself. */
import { Decimal } from '../../../../kernel/decimal.ts'
import type { FieldProblem } from '../../../../kernel/problem.ts'

export interface UnitValues {
  readonly category: string
  readonly factor: string
  readonly isBase: boolean
}

export function checkUnit(values: UnitValues, otherBaseCode: string | undefined): FieldProblem[] {
  const problems: FieldProblem[] = []
  const factor = Decimal.parse(values.factor)
  if (!factor?.isPositive()) {
    problems.push({ field: 'factor', code: 'NOT_POSITIVE', message: 'The factor must be above 0' })
  } else if (values.isBase && !factor.equals(Decimal.of(1))) {
    problems.push({
      field: 'factor',
      code: 'BASE_FACTOR',
      message: 'The base unit of a category has the factor 1',
    })
  }
  if (values.isBase && otherBaseCode !== undefined) {
    const message = `${otherBaseCode} is already the base unit of ${values.category}`
    problems.push({ field: 'isBase', code: 'SECOND_BASE', message })
  }
  return problems
}
