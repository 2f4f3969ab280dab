import type { ProblemTable } from '../../kernel/problem.ts'

export const closingProblems = {
  tooEarly: { code: 'RETENTION_NOT_OVER', status: 409, message: 'The archive must be kept longer' },
} as const satisfies ProblemTable
