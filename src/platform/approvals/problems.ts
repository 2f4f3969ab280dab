import type { ProblemTable } from '../../kernel/problem.ts'

export const approvalProblems = {
  tooMany: {
    code: 'TOO_MANY_APPROVALS',
    status: 409,
    message: 'Too much waits for a second operator already',
  },
  ownRequest: {
    code: 'OWN_REQUEST',
    status: 403,
    message: 'Another operator than who asked must approve',
  },
  decided: { code: 'ALREADY_DECIDED', status: 409, message: 'This request does not wait any more' },
} as const satisfies ProblemTable
