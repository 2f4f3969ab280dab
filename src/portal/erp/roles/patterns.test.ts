import { expect, test } from 'vitest'
import { coveredBy, toggled } from './patterns.ts'

test('a permission is covered by its row, its column and by everything, not by itself', () => {
  expect(coveredBy(['users:*'], 'users:edit')).toBe('users:*')
  expect(coveredBy(['*:edit'], 'users:edit')).toBe('*:edit')
  expect(coveredBy(['*', 'users:edit'], 'users:edit')).toBe('*')
  expect(coveredBy(['users:edit', 'roles:*', '*:view'], 'users:edit')).toBeUndefined()
  expect(coveredBy(['*'], 'users:*')).toBe('*')
  expect(coveredBy(['users:*'], 'users:*')).toBeUndefined()
})

test('a wider pattern takes the place of what it stands for; taking it away leaves the others', () => {
  const held = ['users:edit', 'users:view', 'roles:view']
  expect(toggled(held, 'users:*', true)).toEqual(['roles:view', 'users:*'])
  expect(toggled(held, '*:view', true)).toEqual(['users:edit', '*:view'])
  expect(toggled(held, '*', true)).toEqual(['*'])
  expect(toggled([...held, '*:edit'], '*:edit', false)).toEqual(held)
  expect(toggled(held, 'users:edit', true).toSorted()).toEqual(held.toSorted())
})
