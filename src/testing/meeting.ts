/** Resolves for all when so many have arrived: two transactions that must overlap, whatever the machine's pace. */
export function meeting(size: number): () => Promise<void> {
  let arrived = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  return () => {
    if (++arrived === size) resolve()
    return promise
  }
}
