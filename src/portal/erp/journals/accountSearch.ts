import type { GlAccount } from '../../shared/model.ts'
import type { FindAccount } from './lines.ts'

const OPTIONS_MAXIMUM = 12

/** Accounts an entry may be written on, the closest first: whole code, start of code, words of the name. */
export function accountOptions(accounts: readonly GlAccount[], text: string): GlAccount[] {
  const wanted = text.trim().toLowerCase()
  const postable = accounts.filter(isOfferedForEntries)
  if (wanted === '') return postable.slice(0, OPTIONS_MAXIMUM)
  const ranked = postable.flatMap((account) => {
    const rank = rankOf(account, wanted)
    return rank === null ? [] : [{ account, rank }]
  })
  return ranked
    .sort((left, right) => left.rank - right.rank)
    .slice(0, OPTIONS_MAXIMUM)
    .map(({ account }) => account)
}

/** Control accounts are written on by their sub-ledgers only; the server says so when one is typed. */
function isOfferedForEntries({ postingAllowed, isActive, controlAccount }: GlAccount): boolean {
  return postingAllowed && isActive && controlAccount === 'none'
}

function rankOf({ code, name }: GlAccount, wanted: string): number | null {
  const lowerCode = code.toLowerCase()
  const lowerName = name.toLowerCase()
  if (lowerCode === wanted) return 0
  if (lowerCode.startsWith(wanted)) return 1
  if (lowerName.startsWith(wanted)) return 2
  if (`${lowerCode} ${lowerName}`.includes(wanted)) return 3
  return null
}

/** By whole code, by "code name" as the cell shows it, or by the whole name. */
export function accountFinder(accounts: readonly GlAccount[]): FindAccount {
  const byText = new Map<string, GlAccount>()
  for (const account of accounts) byText.set(account.name.toLowerCase(), account)
  for (const account of accounts) {
    byText.set(`${account.code} ${account.name}`.toLowerCase(), account)
    byText.set(account.code.toLowerCase(), account)
  }
  return (text) => byText.get(text.trim().toLowerCase()) ?? null
}
