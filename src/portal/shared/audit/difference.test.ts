import { expect, test } from 'vitest'
import { DIFFERENCES_MAXIMUM, differencesOf } from './difference.ts'

test('a change: the fields that differ, and no others', () => {
  const before = { id: '1', name: 'Old', active: true, note: null, updated_at: '1' }
  const after = { id: '1', name: 'New', active: false, note: 'x', updated_at: '2' }
  expect(differencesOf(before, after).differences).toEqual([
    { field: 'name', before: 'Old', after: 'New' },
    { field: 'active', before: 'true', after: 'false' },
    { field: 'note', before: undefined, after: 'x' },
  ])
  expect(differencesOf(before, before).differences).toEqual([])
})

test('what was made or deleted: all that is set', () => {
  expect(differencesOf(null, { id: '1', note: null }).differences).toEqual([
    { field: 'id', before: undefined, after: '1' },
  ])
  expect(differencesOf({ id: '1' }, null).differences).toEqual([
    { field: 'id', before: '1', after: undefined },
  ])
})

test('what lies deeper has its path; plain lists stay together', () => {
  const before = {
    address: { city: 'Bonn' },
    permissions: ['a', 'b'],
    lines: [{ debit: 10 }, { credit: 10 }],
  }
  const after = { address: { city: 'Köln' }, permissions: ['a'], lines: [{ debit: 11 }, { credit: 10 }] }
  expect(differencesOf(before, after).differences).toEqual([
    { field: 'address.city', before: 'Bonn', after: 'Köln' },
    { field: 'permissions', before: 'a, b', after: 'a' },
    { field: 'lines[1].debit', before: '10', after: '11' },
  ])
})

test('no more than can be looked at', () => {
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`field${index}`, index]))
  const { differences, isCut } = differencesOf(null, many)
  expect([differences.length, isCut]).toEqual([DIFFERENCES_MAXIMUM, true])
  expect(differencesOf(null, { one: 1 }).isCut).toBe(false)
})
