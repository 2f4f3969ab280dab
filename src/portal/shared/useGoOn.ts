import { useRouter } from '@tanstack/react-router'

/** After signing in: to the page that was asked for, if it is one of ours. */
export function useGoOn(fallback: string) {
  const router = useRouter()
  return (next: string | undefined) => {
    // `//other.example` and `https:…` would leave the portal.
    const isOurs = next !== undefined && /^\/(?![/\\])/.test(next)
    router.history.push(isOurs ? next : fallback)
  }
}
