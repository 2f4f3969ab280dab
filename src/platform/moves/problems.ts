/** Every expected failure of moving tenants. */
import type { ProblemTable } from '../../kernel/problem.ts'

export const moveProblems = {
  busy: {
    code: 'TENANT_BUSY',
    status: 409,
    message: 'Other long work has this tenant now; try again when it is done',
  },
  behind: {
    code: 'SCHEMA_DIFFERS',
    status: 409,
    message: 'The tenant is not at the schema of this version; migrate it first',
  },
  notUndoable: {
    code: 'NOT_UNDOABLE',
    status: 409,
    message: 'Only the last move of a tenant that is done can be undone',
  },
  notKept: { code: 'NOT_KEPT', status: 409, message: 'The old database of this move is not kept' },
} as const satisfies ProblemTable
