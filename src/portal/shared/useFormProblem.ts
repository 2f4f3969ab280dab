import { useState } from 'react'
import type { FormInstance } from 'antd'
import { fieldPath, problemOf, type ApiProblem, type FieldProblem } from './problem.ts'

/** Puts the server's findings on the fields they are about, and keeps the rest for the alert above. */
export function useFormProblem(form: FormInstance) {
  const [problem, setProblem] = useState<ApiProblem | null>(null)
  const [unplaced, setUnplaced] = useState<readonly FieldProblem[]>([])

  function clear() {
    setProblem(null)
    setUnplaced([])
  }

  function show(thrown: unknown) {
    const caught = problemOf(thrown)
    const shown = new Set(form.getFieldsError().map(({ name }) => name.join('.')))
    const isPlaced = (detail: FieldProblem) => shown.has(fieldPath(detail.field).join('.'))
    for (const detail of caught.fields.filter(isPlaced)) {
      form.setFields([{ name: fieldPath(detail.field), errors: [detail.message] }])
    }
    setUnplaced(caught.fields.filter((detail) => !isPlaced(detail)))
    setProblem(caught)
  }

  return { problem, unplaced, show, clear }
}
