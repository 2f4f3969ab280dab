import { egChart } from './charts/eg.ts'
import { genericChart } from './charts/generic.ts'
import { ukChart } from './charts/uk.ts'
import { usChart } from './charts/us.ts'

export type ChartTemplateCode = 'generic' | 'us' | 'uk' | 'eg'

export type AccountType = 'asset' | 'liability' | 'equity' | 'revenue' | 'expense'

export type ControlAccount = 'none' | 'receivable' | 'payable' | 'inventory' | 'tax' | 'bank'

/** What the program must be able to find in any chart, whatever the account is called there. */
export type AccountRole =
  | 'importsClearing'
  | 'productSales'
  | 'carriageIncome'
  | 'salesDiscount'
  | 'platformFees'
  | 'bankCharges'
  | 'badDebt'
  | 'manualSales'
  | 'giftVouchers'
  | 'samples'
  | 'charityCommission'
  | 'retainedEarnings'
  | 'openingBalance'
  | 'realisedExchangeGain'
  | 'realisedExchangeLoss'
  | 'unrealisedExchangeGain'
  | 'unrealisedExchangeLoss'
  | 'rounding'

export interface ChartAccount {
  code: string
  name: string
  nameArabic?: string
  type: AccountType
  parentCode: string | null
  controlAccount: ControlAccount
  /** False for headings: the accounts that others are children of. */
  postingAllowed: boolean
}

export interface ChartTemplate {
  code: ChartTemplateCode
  name: string
  description: string
  /** Sorted by code, so that every heading comes before its children. */
  accounts: readonly ChartAccount[]
  roles: Readonly<Record<AccountRole, string>>
}

/**
 * A chart as it is written down: an account per line, `code name | control account | Arabic name`, the last two
 * optional, children indented by two spaces. The outermost lines name their type where the others have the
 * control account; type and heading follow from the tree, so neither can contradict it.
 */
interface ChartSource extends Omit<ChartTemplate, 'accounts'> {
  outline: string
}

const LINE_PATTERN = /^((?: {2})*)(\d{4,}) ([^|]*[^| ])(?: \| (\w+))?(?: \| (.+))?$/

const accountTypes: readonly AccountType[] = ['asset', 'liability', 'equity', 'revenue', 'expense']

const controlAccounts: readonly ControlAccount[] = [
  'none',
  'receivable',
  'payable',
  'inventory',
  'tax',
  'bank',
]

export const chartTemplates: readonly ChartTemplate[] = [genericChart, usChart, ukChart, egChart].map(
  template,
)

function template({ outline, ...rest }: ChartSource): ChartTemplate {
  const accounts: ChartAccount[] = []
  const path: ChartAccount[] = []
  for (const line of outline.split('\n')) {
    if (line === '') continue
    const [, indent, code, name, kind, nameArabic] = LINE_PATTERN.exec(line) ?? refuse(rest.code, line)
    const depth = indent!.length / 2
    const parent = path[depth - 1]
    if (depth > 0 && !parent) refuse(rest.code, line)
    const type = parent ? parent.type : accountTypes.find((each) => each === kind)
    const controlAccount = parent ? controlAccounts.find((each) => each === (kind ?? 'none')) : 'none'
    if (!type || !controlAccount) refuse(rest.code, line)
    const account: ChartAccount = {
      code: code!,
      name: name!,
      ...(nameArabic && { nameArabic }),
      type,
      parentCode: parent?.code ?? null,
      controlAccount,
      postingAllowed: true,
    }
    if (parent) parent.postingAllowed = false
    path.splice(depth, path.length, account)
    accounts.push(account)
  }
  return { ...rest, accounts }
}

function refuse(chart: string, line: string): never {
  throw new Error(`chart ${chart}: cannot read "${line}"`)
}
