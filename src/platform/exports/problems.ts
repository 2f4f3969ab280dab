import type { ProblemTable } from '../../kernel/problem.ts'

export const exportProblems = {
  notReady: {
    code: 'EXPORT_NOT_READY',
    status: 409,
    message: 'This export has no file: it is not finished, it failed, or its time is over',
  },
} as const satisfies ProblemTable
