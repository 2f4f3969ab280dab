import type { ProblemTable } from '../../kernel/problem.ts'

export const tenantProblems = {
  provisioningFailed: {
    code: 'PROVISIONING_FAILED',
    status: 503,
    message: 'The tenant could not be made; nothing of it is left. Try again',
  },
  wrongState: {
    code: 'WRONG_STATE',
    status: 409,
    message: 'The tenant is not in a state that allows this',
  },
} as const satisfies ProblemTable
