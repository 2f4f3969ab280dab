import { describe, expect, test } from 'vitest'
import { canServe, oldestCodeVersions } from './compatibility.ts'

const landed = [
  { release: '1.0', set: 'tenant', name: '1_a' },
  { release: '1.0', set: 'tenant', name: '1_b' },
  { release: '1.1', set: 'tenant', name: '2_a' },
  { release: '1.1', set: 'platform', name: '2_p' },
  { release: 'next', set: 'tenant', name: '3_a' },
]

test('each version can be served by code of its own release, and of the one before', () => {
  const names = ['1_a', '1_b', '2_a', '3_a', '3_not_listed']
  expect(oldestCodeVersions(names, landed)).toEqual([
    { version: '1_a', oldestCodeVersion: '1_a' },
    { version: '1_b', oldestCodeVersion: '1_b' },
    { version: '2_a', oldestCodeVersion: '1_b' },
    { version: '3_a', oldestCodeVersion: '2_a' },
    { version: '3_not_listed', oldestCodeVersion: '2_a' },
  ])
})

describe('code of version 1_b', () => {
  test.each([
    ['not known', null, null, false],
    ['behind', '1_a', '1_a', false],
    ['its own', '1_b', '1_b', true],
    ['its own, of which nothing was written down', '1_b', null, true],
    ['of the next release', '2_a', '1_b', true],
    ['of the release after the next', '3_a', '2_a', false],
    ['ahead, and nothing is known of it', '2_a', null, false],
  ])('a tenant that is %s', (_what, version, oldestCodeVersion, isServed) => {
    expect(canServe('1_b', { version, oldestCodeVersion })).toBe(isServed)
  })
})
