import { useRef } from 'react'

/**
 * The Idempotency-Key of what is being submitted: the same content keeps its key, so that a retry after a
 * lost answer is not done twice; changed content is a new submission.
 */
export function useSubmissionKey() {
  const last = useRef<{ content: string; key: string } | null>(null)
  return {
    keyFor(content: unknown): string {
      const text = JSON.stringify(content)
      if (last.current?.content !== text) last.current = { content: text, key: crypto.randomUUID() }
      return last.current.key
    },
    done() {
      last.current = null
    },
  }
}
