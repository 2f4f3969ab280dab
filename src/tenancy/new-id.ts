/** New ids (UUID version 7) from a store of random bytes: asking the system for ten of them each time is slow. */
import { randomFillSync } from 'node:crypto'
import { uuidV7 } from '../kernel/ids.ts'

const ID_BYTES = 10
const store = new Uint8Array(ID_BYTES * 512)
let used = store.length

export function newId(): string {
  if (used === store.length) {
    randomFillSync(store)
    used = 0
  }
  used += ID_BYTES
  return uuidV7(Date.now(), store.subarray(used - ID_BYTES, used))
}
