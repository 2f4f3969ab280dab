import { erpSession } from '../shared/session.ts'
import { useStored } from '../shared/stored.ts'
import type { Company, User } from '../shared/model.ts'

export function useUser(): User | null {
  return useStored(erpSession).session?.person ?? null
}

/** The company whose books are open. */
export function useCompany(): Company | null {
  const user = useUser()
  return user?.companies.find(({ id }) => id === user.companyId) ?? user?.companies[0] ?? null
}

/** What the role does not allow is not offered; the server is what forbids it. */
export function useCan(): (permission: string) => boolean {
  const held = useUser()?.permissions ?? []
  return (permission) => held.includes('*') || held.includes(permission)
}
