import { expect, test } from 'vitest'
import { changedSearch } from './changedSearch.ts'

const search: { page?: number; search?: string; status?: string } = { page: 3, search: 'oil', status: 'open' }

test('a changed filter begins at the first page and keeps the others', () => {
  expect(changedSearch(search, { status: 'closed' })).toEqual({ search: 'oil', status: 'closed' })
})

test('what is emptied is no longer in the address', () => {
  expect(changedSearch(search, { search: '' })).toEqual({ status: 'open' })
  expect(changedSearch(search, { search: undefined, status: undefined })).toEqual({})
})

test('another page of the same list keeps its filter', () => {
  expect(changedSearch(search, { page: 4 })).toEqual({ page: 4, search: 'oil', status: 'open' })
})
