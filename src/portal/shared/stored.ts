import { useSyncExternalStore } from 'react'

/**
 * One value kept in the browser's storage and shown the same in every tab. Only sessions, the user and the
 * look go through here: business data is never kept in the browser.
 */
export interface Stored<Value> {
  get(): Value
  set(value: Value): void
  /** Another tab's change is announced a moment late; this looks at once. */
  reread(): Value
  subscribe(listener: () => void): () => void
}

export function stored<Value>(
  key: string,
  initial: Value,
  isValue: (value: unknown) => boolean,
): Stored<Value> {
  const listeners = new Set<() => void>()
  let value = read()
  const announce = () => listeners.forEach((listener) => listener())

  window.addEventListener('storage', (event) => {
    if (event.key !== key && event.key !== null) return
    value = read()
    announce()
  })

  function read(): Value {
    try {
      const found: unknown = JSON.parse(localStorage.getItem(key) ?? 'null')
      return found !== null && isValue(found) ? (found as Value) : initial
    } catch {
      // Storage switched off, or something else wrote there: work as if nothing was kept.
      return initial
    }
  }

  return {
    get: () => value,
    set(next) {
      value = next
      try {
        localStorage.setItem(key, JSON.stringify(next))
      } catch {
        // Private windows may refuse storage; the session then lives as long as the tab.
      }
      announce()
    },
    reread() {
      value = read()
      announce()
      return value
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

export function useStored<Value>(store: Stored<Value>): Value {
  return useSyncExternalStore(store.subscribe, store.get)
}
