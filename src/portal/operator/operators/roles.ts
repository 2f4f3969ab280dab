import type { OperatorPerson } from '../../shared/model.ts'

export const operatorRoles: readonly OperatorPerson['role'][] = ['owner', 'billing', 'support', 'read-only']
export const operatorStatuses: readonly OperatorPerson['status'][] = ['active', 'inactive']
