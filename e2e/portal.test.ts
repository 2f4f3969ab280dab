/**
 * One customer's first day, in a real browser against the real product: the operator creates the tenant, its
 * admin sets a password, signs in, posts an entry with the keyboard and finds it in the reports.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openBrowser, screenshotFailure, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const ADMIN_EMAIL = 'amal@nile.example'
const ADMIN_PASSWORD = 'Harvest-Moon-47!'

let product: Product
let browser: Browser
let visitor: Visitor
let setPasswordUrl = ''

beforeAll(async () => {
  browser = await openBrowser()
  product = await startProduct()
  visitor = await visit(browser)
})

afterEach(({ task }) => screenshotFailure(task, { visitor }))

afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

test('the operator signs in and sees no tenants yet', async () => {
  const { page, screenshot } = visitor
  await page.goto(`${product.url}/operator`)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await screenshot('01-operator-sign-in')
  await page.getByLabel('E-mail').fill(product.operatorEmail)
  await page.getByRole('textbox', { name: 'Password' }).fill(product.operatorPassword)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
  await page.getByText('No tenants found').waitFor()
  await screenshot('02-no-tenants')
})

test('the operator creates a tenant through the wizard', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('button', { name: 'Create tenant' }).first().click()
  await page.getByLabel('Company name').fill('Nile Trading')
  await page.getByRole('button', { name: 'Next' }).click()
  await choose(page, 'Country', 'Egypt')
  await choose(page, 'Currency', 'EGP')
  await screenshot('03-wizard-plan')
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByLabel('Name of the first admin').fill('Amal Hassan')
  await page.getByLabel('E-mail of the first admin').fill(ADMIN_EMAIL)
  await page.getByRole('button', { name: 'Create tenant' }).click()
  await page.getByText('Nile Trading is ready').waitFor({ timeout: 60_000 })
  await screenshot('04-tenant-ready')
  const link = page.getByRole('link', { name: /set-password\?/ })
  setPasswordUrl = (await link.getAttribute('href')) ?? ''
  expect(setPasswordUrl).toContain('token=')
})

test('its admin sets a password and signs in', async () => {
  const { page, screenshot } = visitor
  await page.goto(setPasswordUrl)
  await page.getByLabel('New password').fill(ADMIN_PASSWORD)
  await page.getByLabel('Repeat the password').fill(ADMIN_PASSWORD)
  await page.getByRole('button', { name: 'Set password' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  // On the tenant's own address the company account is known; elsewhere the link has carried it here.
  await page.getByLabel('E-mail').fill(ADMIN_EMAIL)
  await page.getByRole('textbox', { name: 'Password' }).fill(ADMIN_PASSWORD)
  await screenshot('05-erp-sign-in')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Nile Trading' }).waitFor()
  await screenshot('06-home')
})

let debited = ''
let entryNumber = ''

test('an entry is posted with the keyboard alone', async () => {
  const { page, screenshot } = visitor
  const [first, second] = await twoPostableAccounts(page)
  debited = first
  await page.getByRole('link', { name: 'Home' }).click()
  await page.getByRole('button', { name: 'New entry' }).first().click()
  await page.getByLabel('Description', { exact: true }).fill('Opening')
  await page.getByLabel('Account, line 1').focus()
  await type(page, first, 'Enter', '1,250.5', 'Enter', 'Enter', 'paid in', 'Enter')
  await type(page, second, 'Enter')
  await page.getByText('Out by 1,250.50').waitFor()
  await screenshot('07-out-by')
  // Past the debit; in the credit Enter takes the amount offered.
  await type(page, 'Enter', 'Enter')
  await page.getByText('Balanced').waitFor()
  await screenshot('08-balanced')
  await page.keyboard.press('Control+Enter')
  await page.getByText('Posted', { exact: true }).first().waitFor()
  entryNumber = await page.getByRole('heading', { level: 1 }).innerText()
  expect(entryNumber).toMatch(/\d/)
  await screenshot('09-posted')
})

test('the trial balance shows it, and leads to the ledger and the entry', async () => {
  const { page, screenshot, complaints } = visitor
  await page.getByRole('link', { name: 'Trial balance' }).click()
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: debited, exact: true }) })
  await row.getByText('1,250.50').waitFor()
  expect(await page.getByText('1,250.50').count()).toBe(4)
  await screenshot('10-trial-balance')
  await row.getByRole('link', { name: debited, exact: true }).click()
  await page.getByText('Opening balance').waitFor()
  await screenshot('11-general-ledger')
  await page.getByRole('link', { name: entryNumber }).click()
  await page.getByRole('heading', { name: entryNumber }).waitFor()
  expect(complaints).toEqual([])
})

test('the same in Arabic, right to left and dark', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('button', { name: 'Switch to Arabic' }).click()
  await page.getByRole('link', { name: 'ميزان المراجعة' }).click()
  await page.getByRole('heading', { name: 'ميزان المراجعة' }).waitFor()
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl')
  await screenshot('12-arabic')
  await page.getByRole('button', { name: 'فاتح أو داكن' }).click()
  await page.getByRole('menuitem', { name: 'داكن' }).click()
  await page.getByRole('link', { name: 'قيود اليومية' }).click()
  await page.getByRole('heading', { name: 'قيود اليومية' }).waitFor()
  await screenshot('13-arabic-dark')
})

async function choose(page: Page, label: string, text: string): Promise<void> {
  await page.getByLabel(label).click()
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
}

/** Keys by their names, everything else as text. */
async function type(page: Page, ...parts: string[]): Promise<void> {
  for (const part of parts) {
    if (part === 'Enter') await page.keyboard.press(part)
    else await page.keyboard.type(part)
  }
}

/** The chart comes from a template, so the test takes what the entry form itself offers. */
async function twoPostableAccounts(page: Page): Promise<[string, string]> {
  await page.getByRole('button', { name: 'New entry' }).first().click()
  await page.getByLabel('Account, line 1').focus()
  const codes = page.getByRole('option').locator('.grid-options-code')
  await codes.first().waitFor()
  const [first, second] = await codes.allInnerTexts()
  if (!first || !second) throw new Error('The chart has no two accounts to post to')
  return [first, second]
}
