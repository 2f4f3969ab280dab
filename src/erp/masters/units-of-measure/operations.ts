import type { Route } from '../../../http/route.ts'
import { statement } from '../../../tenancy/handles.ts'
import { masterRoutes } from '../engine.ts'
import { unitOfMeasure } from './definition.ts'
import { checkUnit, type UnitValues } from './rules/unit.ts'

export const unitOfMeasureRoutes: Route[] = masterRoutes(unitOfMeasure, {
  check: async (tx, values, before) => {
    const unit = values as unknown as UnitValues
    const [other] = await tx.prepared(BASE_UNIT, [unit.category, before?.id ?? null])
    return checkUnit(unit, other?.code)
  },
})

const BASE_UNIT = statement<{ code: string }>(
  'base-unit',
  `SELECT code FROM masters.unit_of_measure
   WHERE category = $1 AND is_base AND deleted_at IS NULL AND id IS DISTINCT FROM $2`,
)
