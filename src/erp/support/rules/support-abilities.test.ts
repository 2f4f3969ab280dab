import { expect, test } from 'vitest'
import { tenantPermissions } from '../../../server/routes.ts'
import { supportPermissions, supportReach } from './support-abilities.ts'

const declared = ['books:view', 'books:post', 'keys:view', 'keys:add', 'exports:view', 'new:view', 'new:add']
const reaches = { books: 'work', keys: 'look', exports: 'none' } as const

test.each([
  [false, ['books:view', 'keys:view']],
  [true, ['books:post', 'books:view', 'keys:view']],
])('consent %s: %j', (mayChange, expected) => {
  expect([...supportPermissions(declared, mayChange, reaches)].toSorted()).toEqual(expected)
})

test('a module named like a property of every object is none', () => {
  expect([...supportPermissions(['constructor:view', 'toString:add'], true)]).toEqual([])
})

test('every module has its line: how far support reaches is decided, not forgotten', () => {
  const modules = new Set([...tenantPermissions].map((permission) => permission.split(':')[0] ?? ''))
  expect([...modules].filter((module) => !Object.hasOwn(supportReach, module))).toEqual([])
})

test('identity, secrets, consent and exports are never changed by support', () => {
  const given = supportPermissions(tenantPermissions, true)
  const never = /^(users|roles|api-keys|single-sign-on|support-access|tenant-exports):(?!view$)/
  expect([...given].filter((permission) => never.test(permission))).toEqual([])
  expect([...tenantPermissions].filter((permission) => never.test(permission)).length).toBeGreaterThan(6) // control
})
