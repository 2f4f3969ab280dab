import type { ProblemTable } from '../kernel/problem.ts'

export const accountProblems = {
  secondFactorOn: {
    code: 'SECOND_FACTOR_ON',
    status: 409,
    message: 'Two-step sign-in is on already: turn it off first',
  },
  secondFactorOff: { code: 'SECOND_FACTOR_OFF', status: 409, message: 'Two-step sign-in is not set up here' },
} as const satisfies ProblemTable
