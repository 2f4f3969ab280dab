import type { Route } from '../../http/route.ts'
import { close, create, list as listYears, reopen } from './operations/calendar.ts'
import { postDraft, remove, reverse, update } from './operations/change.ts'
import { createMany, createOne } from './operations/create.ts'
import { get, list } from './operations/read.ts'

export const ledgerRoutes: Route[] = [
  createOne,
  createMany,
  list,
  get,
  update,
  remove,
  postDraft,
  reverse,
  create,
  listYears,
  close,
  reopen,
]
