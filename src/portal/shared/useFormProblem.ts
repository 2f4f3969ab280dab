import { useState } from 'react'
import type { FormInstance } from 'antd'
import { useTranslation } from 'react-i18next'
import { fieldPath, problemOf, type ApiProblem, type FieldProblem } from './problem.ts'
import { fieldProblemText } from './states.tsx'

/** Puts the server's findings on the fields they are about, and keeps the rest for the alert above. */
export function useFormProblem(form: FormInstance) {
  const { t } = useTranslation()
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const [unplaced, setUnplaced] = useState<readonly FieldProblem[]>([])

  function clear() {
    setProblem(null)
    setUnplaced([])
  }

  /** null: nothing to show. */
  function show(thrown: unknown) {
    if (thrown === null) return
    const caught = problemOf(thrown)
    const shown = new Set(form.getFieldsError().map(({ name }) => name.join('.')))
    const isPlaced = (detail: FieldProblem) => shown.has(fieldPath(detail.field).join('.'))
    const placed = Map.groupBy(caught.fields.filter(isPlaced), ({ field }) => field)
    form.setFields(
      [...placed].map(([field, details]) => ({
        name: fieldPath(field),
        errors: details.map((detail) => fieldProblemText(detail, t)),
      })),
    )
    setUnplaced(caught.fields.filter((detail) => !isPlaced(detail)))
    setProblem(caught)
  }

  return { problem, unplaced, show, clear }
}
