/** Addresses that the router can read. */

export const PATH_PART_LENGTH_MAXIMUM = 200
/** Below the API's base, where the portal's page is not. */
const NOWHERE = '/api/nowhere'

/** What is not, the router would answer in its own words, past every hook: such an address is simply nowhere. */
export function routable(url: string): string {
  if (!url.includes('%') && url.length <= PATH_PART_LENGTH_MAXIMUM) return url
  const [path = ''] = url.split('?')
  try {
    const isReadable = path
      .split('/')
      .every((part) => decodeURIComponent(part).length <= PATH_PART_LENGTH_MAXIMUM)
    return isReadable ? url : NOWHERE
  } catch {
    return NOWHERE
  }
}
