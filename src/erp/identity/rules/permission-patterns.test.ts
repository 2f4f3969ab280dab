import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beyond, expandPermissions, unknownPatterns } from './permission-patterns.ts'

describe('patterns', () => {
  const declared = ['a:view', 'a:add', 'ab:view', 'b:view', 'b:post']
  test.each([
    [['*'], declared],
    [['*:view'], ['a:view', 'ab:view', 'b:view']],
    [['a:*'], ['a:view', 'a:add']],
    [['b:post'], ['b:post']],
    [['a'], []],
    [['c:view'], []],
    [[], []],
    [['A:view'], []],
  ])('%j', (patterns, expected) => {
    expect([...expandPermissions(patterns, declared)]).toEqual(expected)
  })
})

describe('what goes beyond', () => {
  test.each([
    [['*'], ['*', '*:view', 'a:*', 'a:view'], []],
    [['*:view'], ['a:view', '*:view', 'a:add', 'a:*', '*'], ['a:add', 'a:*', '*']],
    [['a:*'], ['a:view', 'a:*', 'ab:view', 'b:*', '*:view'], ['ab:view', 'b:*', '*:view']],
    // All that a star stands for today is not the star.
    [
      ['a:view', 'a:add', 'ab:view', 'b:view', 'b:post'],
      ['*', 'a:*', '*:view'],
      ['*', 'a:*', '*:view'],
    ],
    [[], ['a:view'], ['a:view']],
    [['a:view'], [], []],
  ])('%j → %j', (held, asked, expected) => {
    expect(beyond(held, asked)).toEqual(expected)
  })

  test('what is covered can never be used for more than what is held', () => {
    const names = ['a', 'b', 'ab']
    const abilities = ['view', 'add', 'post']
    const declared = names.flatMap((name) => abilities.map((ability) => `${name}:${ability}`))
    const pattern = fc.constantFrom(
      '*',
      ...names.map((name) => `${name}:*`),
      ...abilities.map((ability) => `*:${ability}`),
      ...declared,
    )
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 4 }), pattern, (held, asked) => {
        if (beyond(held, [asked]).length > 0) return
        const reach = expandPermissions(held, declared)
        for (const permission of expandPermissions([asked], declared)) expect(reach).toContain(permission)
      }),
    )
  })
})

test('patterns that mean nothing are named', () => {
  const declared = new Set(['a:view', 'b:post'])
  expect(unknownPatterns(['*', 'a:*', '*:post', 'a:view', 'c:*', '*:fly', 'a:post', 'a', ''], declared)).toEqual([
    'c:*', '*:fly', 'a:post', 'a', '',
  ]) // prettier-ignore
})
