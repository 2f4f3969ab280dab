import type { ProblemTable } from '../../kernel/problem.ts'

export const backupProblems = {
  tooManyRunning: {
    code: 'BACKUP_RUNNING',
    status: 409,
    message: 'Backups of this tenant are running already',
  },
  stillNeeded: {
    code: 'LAST_GOOD_BACKUP',
    status: 409,
    message: 'It is the newest good backup of its tenant; take another one first',
  },
  notDeletable: { code: 'WRONG_STATE', status: 409, message: 'The backup cannot be deleted now' },
  nothingToBackUp: {
    code: 'NOTHING_TO_BACK_UP',
    status: 409,
    message: 'The tenant has no database',
  },
} as const satisfies ProblemTable
