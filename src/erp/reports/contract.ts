/**
 * Glossary
 * - trial balance: every account's net balance on one side, as of a day; both sides add up to the same
 * - general ledger: one account's lines in order, with the balance after each
 */
import { Type } from 'typebox'
import { Amount, DateText, Id, nullable, oneOf, operation } from '../../http/contract.ts'

export const accountTypes = ['asset', 'liability', 'equity', 'revenue', 'expense'] as const

const reports = { tag: 'Reports', audience: 'tenant', access: 'read' } as const

export const trialBalance = operation({
  ...reports,
  name: 'trialBalance',
  method: 'GET',
  path: '/reports/trial-balance',
  summary: 'Trial balance as of the end of a day, from balances kept at posting',
  permission: 'reports:view',
  query: Type.Object(
    { asOf: Type.Optional(DateText), includeZero: Type.Optional(Type.Boolean({ default: false })) },
    { additionalProperties: false },
  ),
  data: Type.Object({
    asOf: DateText,
    currency: Type.String(),
    rows: Type.Array(
      Type.Object({
        accountId: Id,
        accountCode: Type.String(),
        accountName: Type.String(),
        type: oneOf(accountTypes),
        debit: Amount,
        credit: Amount,
      }),
    ),
    totalDebit: Amount,
    totalCredit: Amount,
  }),
})

export const generalLedger = operation({
  ...reports,
  name: 'generalLedger',
  method: 'GET',
  path: '/reports/general-ledger',
  summary: "One account's postings between two days, with the balance after each; keyset paging by `after`",
  permission: 'reports:view',
  query: Type.Object(
    {
      accountId: Id,
      from: Type.Optional(DateText),
      to: Type.Optional(DateText),
      after: Type.Optional(Type.String({ maxLength: 200 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 200 })),
    },
    { additionalProperties: false },
  ),
  data: Type.Object({
    account: Type.Object({
      id: Id,
      code: Type.String(),
      name: Type.String(),
      type: oneOf(accountTypes),
    }),
    currency: Type.String(),
    from: DateText,
    to: DateText,
    openingBalance: Amount,
    closingBalance: Amount,
    lines: Type.Array(
      Type.Object({
        lineId: Id,
        entryId: Id,
        entryNumber: Type.String(),
        date: DateText,
        description: nullable(Type.String()),
        reference: nullable(Type.String()),
        debit: Amount,
        credit: Amount,
        balance: Type.String({ description: 'Debit balances are positive, credit balances negative' }),
      }),
    ),
    nextAfter: nullable(Type.String()),
  }),
})
