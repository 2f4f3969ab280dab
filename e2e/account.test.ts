/**
 * Two-step sign-in in a real browser: an operator is led through setting it up, signs in with a code and with a
 * recovery code, and invites a colleague, who sets a password by the link that was mailed.
 */
import type { Browser, Page } from 'playwright-core'
import { Secret, TOTP } from 'otpauth'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { mailedToken } from './api.ts'
import { openBrowser, screenshotFailure, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const COLLEAGUE = 'olga@operators.example'
const PASSWORD = 'Harvest-Moon-47!'

let product: Product
let browser: Browser
let visitor: Visitor
let page: Page
let secret: string
let recoveryCodes: string[]

beforeAll(async () => {
  browser = await openBrowser()
  product = await startProduct({ environment: { OPERATOR_SECOND_FACTOR_REQUIRED: 'true' } })
  visitor = await visit(browser)
  page = visitor.page
}, 180_000)
afterEach(({ task }) => screenshotFailure(task, { visitor }))
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

const codeOf = (steps: number): string =>
  TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + steps * 30_000 })

async function signIn(email: string, password: string): Promise<void> {
  await page.goto(`${product.url}/operator/sign-in`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

async function signOut(name: string): Promise<void> {
  await page.getByLabel(`Account of ${name}`).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
}

async function giveCode(code: string): Promise<void> {
  await page.getByLabel('Code', { exact: true }).fill(code)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

async function setUp(): Promise<void> {
  const shown = await page.locator('code').first().innerText()
  secret = shown.replaceAll(/[^A-Z2-7]/g, '')
  await page.getByLabel('Code', { exact: true }).fill(codeOf(-1))
  await page.getByRole('button', { name: 'Turn on' }).click()
  await page.getByText('Keep these recovery codes').waitFor()
  recoveryCodes = await page
    .getByRole('list', { name: 'Recovery codes' })
    .getByRole('listitem')
    .allInnerTexts()
  await page.getByRole('button', { name: 'I have kept them' }).click()
}

test('nothing is shown before two-step sign-in is set up; then the portal opens', async () => {
  await signIn(product.operatorEmail, product.operatorPassword)
  await page.getByRole('heading', { name: 'Set up two-step sign-in' }).waitFor()
  await page.goto(`${product.url}/operator/servers`)
  await page.getByRole('heading', { name: 'Set up two-step sign-in' }).waitFor()
  await page.getByLabel('Code', { exact: true }).waitFor()
  await visitor.screenshot('two-step-set-up')
  await setUp()
  expect(new Set(recoveryCodes).size).toBe(10)
  await page.getByRole('heading', { name: 'Servers' }).waitFor()
})

test('a code is asked for when signing in; a wrong one says so; a recovery code does it too', async () => {
  await signOut('First operator')
  await signIn(product.operatorEmail, product.operatorPassword)
  await giveCode('000000')
  await page.getByText('This code is wrong, was used already, or has run out').waitFor()
  await visitor.screenshot('two-step-sign-in')
  await giveCode(codeOf(1))
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
  await signOut('First operator')
  await signIn(product.operatorEmail, product.operatorPassword)
  await giveCode(recoveryCodes[0] ?? '')
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
  await page.getByLabel('Account of First operator').click()
  await page.getByRole('menuitem', { name: 'My account' }).click()
  await page.getByText('9 recovery codes are left.').waitFor()
  await page.getByText('This one').waitFor()
  await visitor.screenshot('my-account')
})

test('a colleague is invited, sets a password by the link, and is led the same way', async () => {
  await page.goto(`${product.url}/operator/operators`)
  await page.getByRole('button', { name: 'Invite an operator' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('Olga Colleague')
  await dialog.getByLabel('E-mail').fill(COLLEAGUE)
  await dialog.getByRole('button', { name: 'Invite an operator' }).click()
  await page.getByRole('row', { name: /Olga Colleague.*Invited/ }).waitFor()
  await visitor.screenshot('operators')
  const kept = await page.evaluate(() => localStorage.getItem('solution-erp.operator') ?? '{}')
  const { session } = JSON.parse(kept) as { session: { token: string } }
  const token = await mailedToken(product, session.token, COLLEAGUE)
  await signOut('First operator')
  await page.goto(`${product.url}/operator/set-password?token=${token}`)
  await page.getByLabel('New password').fill(PASSWORD)
  await page.getByLabel('Repeat the password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Set password' }).click()
  await page.getByText('Password set. You can sign in now.').waitFor()
  await signIn(COLLEAGUE, PASSWORD)
  await page.getByLabel('Code', { exact: true }).waitFor()
  await setUp()
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
})
