import { expect, test } from 'vitest'
import { BoundedQueue, hashPassword, passwordMatches } from './password-hashes.ts'

test('so much at once, so much waiting, and the rest is refused at once', async () => {
  const queue = new BoundedQueue(2)
  let [running, most] = [0, 0]
  const releases: (() => void)[] = []
  const work = (): Promise<string> =>
    queue.run(3, async () => {
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => releases.push(resolve))
      running--
      return 'done'
    })
  const taken = Array.from({ length: 5 }, work)
  await expect(work()).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503, retryAfterSeconds: 10 })
  while (running > 0) {
    releases.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await Promise.all(taken)).toEqual(Array.from({ length: 5 }, () => 'done'))
  expect(most).toBe(2)
  // What failed gives its place back like what did not.
  await expect(queue.run(3, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  const after = queue.run(0, async () => 'free')
  expect(await after).toBe('free')
})

test('the event loop goes on while passwords are hashed', async () => {
  let longestMs = 0
  let at = performance.now()
  const beat = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - at)
    at = performance.now()
  }, 5)
  const startedAt = performance.now()
  const passwordHash = await hashPassword('Harvest-Moon-47!')
  const hashingMs = performance.now() - startedAt
  expect(await passwordMatches('Harvest-Moon-47!', passwordHash)).toBe(true)
  expect(await passwordMatches('Harvest-Moon-48!', passwordHash)).toBe(false)
  clearInterval(beat)
  expect(passwordHash).toMatch(/^\$2[by]\$12\$/)
  expect(hashingMs).toBeGreaterThan(50) // control: on the event loop it would have stood still for so long
  expect(longestMs).toBeLessThan(hashingMs / 2)
})
