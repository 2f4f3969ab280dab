import { operatorSession } from '../shared/session.ts'
import { useStored } from '../shared/stored.ts'

/** What the operator's role does not allow is not offered; the server is what forbids it. */
export function useOperatorCan(): (permission: string) => boolean {
  const held = useStored(operatorSession).session?.person.permissions ?? []
  return (permission) => held.includes(permission)
}
