import type { ProblemTable } from '../../kernel/problem.ts'

export const operatorProblems = {
  lastOwner: {
    code: 'LAST_OWNER',
    status: 409,
    message: 'This is the last active owner: name another one first, who has set a password',
  },
  beyondYou: { code: 'PERMISSION_DENIED', status: 403, message: 'Nobody grants more than they hold' },
  notInvited: {
    code: 'ALREADY_JOINED',
    status: 409,
    message: 'This operator has a password already: they can ask for a reset themselves',
  },
} as const satisfies ProblemTable
