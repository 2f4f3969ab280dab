import type { ProblemTable } from '../../kernel/problem.ts'

export const fleetProblems = {
  active: {
    code: 'FLEET_MIGRATION_ACTIVE',
    status: 409,
    message: 'Another fleet migration is running, paused or stopped; one at a time',
  },
  wrongState: {
    code: 'WRONG_STATE',
    status: 409,
    message: 'The fleet migration is not in a state that allows this',
  },
  unknownVersion: {
    code: 'UNKNOWN_VERSION',
    status: 409,
    message: 'This server runs older code than the fleet migration needs; ask a server of the newer one',
  },
} as const satisfies ProblemTable
