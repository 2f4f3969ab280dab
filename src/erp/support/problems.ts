import type { ProblemTable } from '../../kernel/problem.ts'

export const supportProblems = {
  refused: {
    code: 'SUPPORT_REFUSED',
    status: 403,
    message: 'This tenant does not let support in',
  },
  noConsent: {
    code: 'SUPPORT_WITHOUT_CONSENT',
    status: 403,
    message: 'This tenant has not consented to changes by support: ask for read access',
  },
  noCompany: { code: 'NOT_FOUND', status: 404, message: 'This tenant has no such active company' },
} as const satisfies ProblemTable
