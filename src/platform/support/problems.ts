import type { ProblemTable } from '../../kernel/problem.ts'

/** An operator is in no more tenants than this at once. */
export const RUNNING_MAXIMUM = 5

export const supportProblems = {
  tooMany: {
    code: 'TOO_MANY_SUPPORT_SESSIONS',
    status: 409,
    message: `You are in ${RUNNING_MAXIMUM} tenants already: leave one first`,
  },
  isThere: {
    code: 'SUPPORT_SESSION_RUNNING',
    status: 409,
    message: 'You are in this tenant already: end that session, or ask for another code',
  },
} as const satisfies ProblemTable
