import { describe, expect, test } from 'vitest'
import { chartTemplates, type AccountRole, type AccountType, type ChartTemplate } from './charts.ts'

const typesOfRoles: Record<AccountRole, readonly AccountType[]> = {
  importsClearing: ['asset'],
  productSales: ['revenue'],
  carriageIncome: ['revenue'],
  salesDiscount: ['revenue'],
  platformFees: ['expense'],
  bankCharges: ['expense'],
  badDebt: ['expense'],
  manualSales: ['revenue'],
  giftVouchers: ['revenue', 'liability'],
  samples: ['expense'],
  charityCommission: ['expense'],
  retainedEarnings: ['equity'],
  openingBalance: ['equity'],
  realisedExchangeGain: ['revenue'],
  realisedExchangeLoss: ['expense'],
  unrealisedExchangeGain: ['revenue'],
  unrealisedExchangeLoss: ['expense'],
  rounding: ['expense'],
}

function accountOf(chart: ChartTemplate, code: string | null) {
  return chart.accounts.find((account) => account.code === code)
}

test('there are four, each under its own code', () => {
  expect(chartTemplates.map((chart) => chart.code)).toEqual(['generic', 'us', 'uk', 'eg'])
})

describe.each(chartTemplates.map((chart) => [chart.code, chart] as const))('%s', (_, chart) => {
  test('has 60 to 110 accounts, sorted, without doubles', () => {
    const codes = chart.accounts.map((account) => account.code)
    expect(codes.length).toBeGreaterThanOrEqual(60)
    expect(codes.length).toBeLessThanOrEqual(110)
    expect(codes).toEqual([...new Set(codes)].sort())
    for (const code of codes) expect(code).toMatch(/^\d{4,}$/)
    expect(new Set(codes.map((code) => code.length)).size).toBe(1)
  })

  test('names are unique', () => {
    const names = chart.accounts.map((account) => account.name)
    const posting = chart.accounts.filter((account) => account.postingAllowed).map((account) => account.name)
    expect(names).not.toContain('')
    expect(posting.filter((name, index) => posting.indexOf(name) !== index)).toEqual([])
  })

  test('is a tree: parents come first, are headings, and have the type of their children', () => {
    for (const [index, account] of chart.accounts.entries()) {
      if (account.parentCode === null) continue
      const parent = accountOf(chart, account.parentCode)!
      expect(parent).toMatchObject({ postingAllowed: false, controlAccount: 'none', type: account.type })
      // A parent that always stands before its child also rules out cycles.
      expect(chart.accounts.indexOf(parent)).toBeLessThan(index)
    }
  })

  test('headings are exactly the accounts with children, and none of them is a control account', () => {
    for (const account of chart.accounts) {
      const isParent = chart.accounts.some((other) => other.parentCode === account.code)
      expect(account.postingAllowed).toBe(!isParent)
      if (isParent) expect(account.controlAccount).toBe('none')
    }
  })

  test('every type occurs', () => {
    const types = new Set(chart.accounts.map((account) => account.type))
    expect([...types].sort()).toEqual(['asset', 'equity', 'expense', 'liability', 'revenue'])
  })

  test('control accounts are of the right type, one for customers, one for suppliers, several for the rest', () => {
    const controls = (kind: string) => chart.accounts.filter((account) => account.controlAccount === kind)
    const types = (kind: string) => controls(kind).map((account) => account.type)
    expect(types('receivable')).toEqual(['asset'])
    expect(types('payable')).toEqual(['liability'])
    expect(types('inventory').length).toBeGreaterThanOrEqual(1)
    expect(new Set(types('inventory'))).toEqual(new Set(['asset']))
    expect(types('tax').length).toBeGreaterThanOrEqual(2)
    expect(types('bank').length).toBeGreaterThanOrEqual(3)
  })

  test('roles are accounts of a fitting type that anybody may post to, each its own', () => {
    for (const [role, types] of Object.entries(typesOfRoles)) {
      const account = accountOf(chart, chart.roles[role as AccountRole])
      expect(account, role).toMatchObject({ postingAllowed: true, controlAccount: 'none' })
      expect(types, role).toContain(account!.type)
    }
    expect(Object.keys(chart.roles).sort()).toEqual(Object.keys(typesOfRoles).sort())
    expect(new Set(Object.values(chart.roles)).size).toBe(Object.keys(typesOfRoles).length)
  })

  test('the accounts of stock and cash that have no role are there to be chosen', () => {
    const posting = chart.accounts.filter(({ postingAllowed }) => postingAllowed).map(({ name }) => name)
    for (const pattern of [
      /^Cost of goods/,
      /^Purchase price variance/,
      /(Inventory|Stock) adjustments/,
      /^Cash over and short/,
    ]) {
      expect(posting.filter((name) => pattern.test(name))).toHaveLength(1)
    }
  })
})

test('every Egyptian account has an Arabic name, and no other chart has any', () => {
  for (const chart of chartTemplates) {
    for (const { code, nameArabic } of chart.accounts) {
      if (chart.code === 'eg') expect(nameArabic, code).toMatch(/^[\p{Script=Arabic}\p{N} %()]+$/u)
      else expect(nameArabic, code).toBeUndefined()
    }
  }
})
