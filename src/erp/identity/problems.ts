import type { ProblemTable } from '../../kernel/problem.ts'

export const identityProblems = {
  lastAdministrator: {
    code: 'LAST_ADMINISTRATOR',
    status: 409,
    message:
      'This is the last active administrator: name another one first (all companies, a password, a role that may do everything)',
  },
  beyondYou: { code: 'PERMISSION_DENIED', status: 403, message: 'Nobody grants more than they hold' },
  administratorIsFixed: {
    code: 'ROLE_FIXED',
    status: 409,
    message: 'The Administrator role stays as it is; make a role of your own instead',
  },
  builtInRole: {
    code: 'BUILT_IN_ROLE',
    status: 409,
    message: 'A built-in role is not deleted: deactivate it instead (isActive: false)',
  },
  notInvited: {
    code: 'ALREADY_JOINED',
    status: 409,
    message: 'This user has a password already: they can ask for a reset themselves',
  },
} as const satisfies ProblemTable
