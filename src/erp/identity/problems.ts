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
  roleIsGone: {
    code: 'ROLE_GONE',
    status: 409,
    message: 'The role of this user was deleted meanwhile: give another one (roleId)',
  },
  noPasswordYet: {
    code: 'NOT_JOINED',
    status: 409,
    message: 'This user has not set a password yet: send the invitation again instead',
  },
  linksEnough: {
    code: 'LINKS_ENOUGH',
    status: 409,
    message: 'Several links are on their way to this user already',
  },
  notInvited: {
    code: 'ALREADY_JOINED',
    status: 409,
    message: 'This user has a password already: they can ask for a reset themselves',
  },
  keyRevoked: {
    code: 'API_KEY_REVOKED',
    status: 409,
    message: 'This API key was revoked, for good: make another one',
  },
  singleSignOnOff: {
    code: 'SINGLE_SIGN_ON_OFF',
    status: 404,
    message: 'Single sign-on is not set up here: sign in with your password',
  },
  singleSignOnRequired: {
    code: 'SINGLE_SIGN_ON_REQUIRED',
    status: 403,
    message: 'Passwords are not taken here: sign in by single sign-on',
  },
  singleSignOnRefused: {
    code: 'SINGLE_SIGN_ON_REFUSED',
    status: 401,
    message: 'The identity provider did not sign you in',
  },
  attemptIsVoid: {
    code: 'SINGLE_SIGN_ON_EXPIRED',
    status: 401,
    message: 'This sign-in was used, has expired or belongs to another browser: begin again',
  },
  identityProviderAway: {
    code: 'IDENTITY_PROVIDER_UNAVAILABLE',
    status: 503,
    message: 'The identity provider cannot be asked at the moment',
  },
  noAdministratorsByThemselves: {
    code: 'ROLE_TOO_STRONG',
    status: 400,
    message: 'Nobody becomes an administrator by signing in: choose another role',
  },
} as const satisfies ProblemTable
