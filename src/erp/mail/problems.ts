import type { ProblemTable } from '../../kernel/problem.ts'

export const mailProblems = {
  notToBeResent: {
    code: 'NOT_TO_BE_RESENT',
    status: 409,
    message:
      'Only what was given up is sent again, and only as long as it is good for something: an invitation or a reset that has expired is made anew',
  },
} as const satisfies ProblemTable
