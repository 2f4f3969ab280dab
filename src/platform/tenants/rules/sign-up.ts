/** What a new tenant must be, beyond the shape of its fields. */
import { findCurrency } from '../../../kernel/currency.ts'
import { isCountry } from '../../../kernel/country.ts'
import { passwordProblems } from '../../../kernel/passwords.ts'
import type { FieldProblem } from '../../../kernel/problem.ts'

/** Names our own addresses use or may come to use. */
export const reservedSubdomains: ReadonlySet<string> = new Set([
  'admin', 'api', 'app', 'assets', 'auth', 'billing', 'blog', 'cdn', 'dashboard', 'demo-internal', 'docs', 'erp',
  'ftp', 'health', 'help', 'internal', 'login', 'mail', 'metrics', 'ns1', 'ns2', 'operator', 'platform', 'portal',
  'postgres', 'root', 'smtp', 'sso', 'static', 'status', 'support', 'system', 'test', 'webmail', 'www',
]) // prettier-ignore

export interface SignUp {
  readonly subdomain: string
  readonly country: string
  readonly currency: string
  readonly adminName: string
  readonly adminEmail: string
  readonly adminPassword?: string
}

export function checkSignUp(signUp: SignUp, isCommonPassword: (word: string) => boolean): FieldProblem[] {
  const problems: FieldProblem[] = []
  const refuse = (field: string, code: string, message: string): number =>
    problems.push({ field, code, message })
  if (reservedSubdomains.has(signUp.subdomain)) {
    refuse('subdomain', 'RESERVED', `The subdomain "${signUp.subdomain}" is reserved`)
  }
  if (!isCountry(signUp.country))
    refuse('country', 'UNKNOWN_COUNTRY', `There is no country ${signUp.country}`)
  const currency = findCurrency(signUp.currency)
  if (!currency) refuse('currency', 'UNKNOWN_CURRENCY', `There is no currency ${signUp.currency}`)
  else if (currency.minorUnits === null) {
    refuse('currency', 'NO_MONEY', `${currency.name} is no currency that books are kept in`)
  }
  if (signUp.adminPassword !== undefined) {
    const person = { fullName: signUp.adminName, email: signUp.adminEmail }
    problems.push(...passwordProblems(signUp.adminPassword, person, isCommonPassword, 'adminPassword'))
  }
  return problems
}

/** The chart that fits a country where none was chosen. */
export function chartTemplateFor(country: string): 'generic' | 'us' | 'uk' | 'eg' {
  if (country === 'US') return 'us'
  if (country === 'GB') return 'uk'
  return country === 'EG' ? 'eg' : 'generic'
}
