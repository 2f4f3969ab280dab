import type { ProblemTable } from '../../kernel/problem.ts'

export const restoreProblems = {
  wrongState: {
    code: 'WRONG_STATE',
    status: 409,
    message: 'The tenant or the restore is not in a state that allows this',
  },
  backupUnusable: { code: 'BACKUP_UNUSABLE', status: 409, message: 'This backup cannot be restored' },
  tooMany: {
    code: 'TOO_MANY_RESTORES',
    status: 409,
    message: 'Restores of this tenant are kept already: discard one first',
  },
} as const satisfies ProblemTable
