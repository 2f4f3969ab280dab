/**
 * Who is let in beside people with a password, in a real browser: programs by API keys, people by their identity
 * provider (a real one), operators as support, and what of theirs waits for a second operator.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { IdentityProvider } from '../src/testing/identity-provider.ts'
import { ADMIN_PASSWORD, call, createTenant, mailedToken, operatorToken } from './api.ts'
import { openBrowser, screenshotFailure, signIn, signInAsOperator, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const ADMIN_EMAIL = 'amal@delta.example'
const SECOND = { fullName: 'Sam Second', email: 'sam@operators.example', password: 'Winter-Storm-58?' }
/** Whom the identity provider knows. */
const PERSON = { login: 'pat', name: 'Pat Person', email: 'pat@delta.example' }
const LONG_MS = 60_000

let product: Product
let provider: IdentityProvider
let browser: Browser
let admin: Visitor
let operator: Visitor
let second: Visitor
/** Where the tenant signs in. */
let home = ''

beforeAll(async () => {
  browser = await openBrowser()
  const before = await startProduct()
  await createTenant(before, 'DELTA')
  await inviteSecond(before)
  await before.stop({ keepsData: true })
  const { dataDirectory } = before
  product = await startProduct({ dataDirectory, environment: { DUAL_APPROVAL: 'true' } })
  home = product.url.replace('localhost', 'delta.localhost')
  provider = new IdentityProvider([`${home}/sign-in/return`])
  provider.accounts.set(PERSON.login, { ...PERSON, email_verified: true })
  await provider.start()
  ;[admin, operator, second] = await Promise.all([visit(browser), visit(browser), visit(browser)])
  await signIn(admin.page, home, ADMIN_EMAIL, ADMIN_PASSWORD)
  await signInAsOperator(operator.page, product)
})
afterEach(({ task }) => screenshotFailure(task, { admin, operator, second }))
afterAll(async () => {
  await browser?.close()
  await product?.stop()
  await provider?.stop()
})

/** Before dual approval is on: an owner more would wait for one. */
async function inviteSecond(at: Product): Promise<void> {
  const token = await operatorToken(at)
  const { fullName, email, password } = SECOND
  await call(at, '/operators', { token, body: { fullName, email, role: 'owner' } })
  await call(at, '/auth/reset-password', { body: { token: await mailedToken(at, token, email), password } })
}

// ---- programs ------------------------------------------------------------------------------------------

/** What a program with that key is answered. */
async function statusWith(key: string, path = '/masters/gl-accounts', method = 'GET'): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, 'x-tenant-id': 'DELTA' }
  return (await fetch(`${product.url}/api/v1${path}`, { method, headers })).status
}

async function shownSecret(page: Page): Promise<string> {
  const dialog = page.getByRole('dialog').filter({ hasText: 'it is shown this once' })
  const secret = await dialog.locator('code').first().innerText()
  await dialog.getByRole('button', { name: 'I have kept it' }).click()
  await dialog.waitFor({ state: 'hidden' })
  return secret.trim()
}

async function chooseFor(page: Page, name: string, action: string): Promise<void> {
  await page.getByRole('button', { name: `More actions for ${name}` }).click()
  await page.getByRole('menuitem', { name: action }).click()
}

test('an API key is made, works within its scopes, is given a new secret, and is revoked', async () => {
  const { page, screenshot } = admin
  await page.getByRole('link', { name: 'API keys' }).click()
  await page.getByText('There are no API keys').waitFor()
  await page.getByRole('button', { name: 'New API key' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Create' }).click()
  await dialog.getByText('Choose at least one').waitFor()
  await dialog.getByLabel('Name').fill('Web shop')
  await dialog.getByRole('checkbox', { name: 'All of gl-accounts' }).check()
  await screenshot('access-01-new-key')
  await dialog.getByRole('button', { name: 'Create' }).click()
  const first = await shownSecret(page)
  expect([await statusWith(first), await statusWith(first, '/users')]).toEqual([200, 403])
  await page.reload()
  await page.getByRole('row', { name: /Web shop.*Active.*from 127\.0\.0\.1/s }).waitFor()
  await screenshot('access-02-keys')

  await chooseFor(page, 'Web shop', 'New secret')
  await dialog.getByRole('button', { name: 'New secret' }).click()
  const next = await shownSecret(page)
  expect([await statusWith(first), await statusWith(next)]).toEqual([200, 200]) // both, for a day
  await page.getByText('The secret before it works until').waitFor()

  await chooseFor(page, 'Web shop', 'Revoke')
  await dialog.getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('row', { name: /Web shop.*Revoked/s }).waitFor()
  expect([await statusWith(first), await statusWith(next)]).toEqual([401, 401])
})

// ---- people of an identity provider --------------------------------------------------------------------

test('single sign-on is set up, and who was never here is signed in by the identity provider', async () => {
  const { page, screenshot } = admin
  await page.getByRole('link', { name: 'Single sign-on' }).click()
  await page.getByText(`${home}/sign-in/return`).waitFor()
  await page.getByLabel('Name on the button').fill('Delta ID')
  await page.getByLabel('Issuer').fill(provider.issuer)
  await page.getByRole('button', { name: 'Try it' }).click()
  await page.getByText(/answers|works/i).first().waitFor() // prettier-ignore
  await page.getByLabel('Client id').fill(provider.clientId)
  await page.getByLabel('Client secret').fill(provider.clientSecret)
  await page.getByLabel('E-mail domains').fill('delta.example')
  await page.keyboard.press('Enter')
  await page.getByLabel('Role of new users').click()
  await page.getByTitle('Viewer').click()
  await page.getByLabel('Companies of new users').click()
  await page.getByTitle('Delta Trading').last().click()
  await page.keyboard.press('Escape')
  expect(await page.getByLabel('Offer it on the sign-in page').getAttribute('aria-checked')).toBe('true')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('button', { name: 'Remove' }).waitFor()
  await screenshot('access-03-single-sign-on')

  const stranger = await visit(browser)
  await stranger.page.goto(`${home}/sign-in`)
  await stranger.page.getByRole('button', { name: 'Sign in with Delta ID' }).click()
  await stranger.page.waitForURL(`${provider.issuer}/**`)
  await stranger.page.locator('input[name=login]').fill(PERSON.login)
  await stranger.page.locator('input[name=password]').fill('any')
  await stranger.page.locator('button[type=submit]').click()
  await stranger.page.getByRole('button', { name: /continue/i }).click()
  await stranger.page.getByRole('button', { name: `Account of ${PERSON.name}` }).waitFor()
  await stranger.screenshot('access-04-signed-in-by-provider')
  await page.getByRole('link', { name: 'Users' }).click()
  await page.getByRole('row', { name: new RegExp(`${PERSON.name}.*Viewer`, 's') }).waitFor()
})

// ---- support -------------------------------------------------------------------------------------------

test('an operator enters as support, is seen, cannot change anything, and is sent away', async () => {
  const { page, screenshot } = operator
  await page.getByRole('link', { name: 'DELTA' }).click()
  await page.getByRole('tab', { name: 'Support access' }).click()
  await page.getByRole('button', { name: 'Enter this account' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Reason, which the tenant reads').fill('Ticket 4711: trial balance')
  await screenshot('access-05-support-reason')
  await dialog.getByRole('button', { name: 'Enter this account' }).click()
  const link = await page.getByRole('link', { name: 'Open the account' }).getAttribute('href')

  const inside = await visit(browser)
  await inside.page.goto(link ?? '')
  await inside.page.getByText('You are in the account of Delta Trading as support').waitFor()
  await inside.page.getByRole('link', { name: 'Units of measure' }).click()
  await inside.page.getByRole('heading', { name: 'Units of measure' }).waitFor()
  expect(await inside.page.getByRole('button', { name: 'New unit' }).count()).toBe(0)
  await inside.screenshot('access-06-inside')
  // The link was good once.
  const again = await visit(browser)
  await again.page.goto(link ?? '')
  await again.page.getByRole('alert').waitFor()

  await admin.page.reload()
  await admin.page.getByText('Support is in your account now: First operator').waitFor()
  await admin.page.getByText('Reason: Ticket 4711: trial balance').waitFor()
  await admin.page.getByRole('link', { name: 'See' }).click()
  await admin.page.getByRole('row', { name: /Ticket 4711.*There now/s }).waitFor()
  await admin.screenshot('access-07-banner')
  await admin.page.getByRole('button', { name: 'Send away' }).click()
  await admin.page.getByText('Support has been sent away').waitFor()
  await inside.page.getByRole('link', { name: 'Chart of accounts' }).click()
  await inside.page.getByRole('heading', { name: 'Sign in' }).waitFor()
})

// ---- a second operator ---------------------------------------------------------------------------------

test('archiving waits for a second operator, who sees exactly what was asked for', async () => {
  const { page, screenshot } = operator
  await page.goto(`${product.url}/operator`)
  await page.getByRole('link', { name: 'DELTA' }).click()
  await page.getByRole('tab', { name: 'Export and archive' }).click()
  await page.getByRole('button', { name: 'Archive' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('This waits for a second operator').waitFor()
  await dialog.getByLabel('Reason').fill('They have left')
  await dialog.getByLabel('Type DELTA to confirm').fill('DELTA')
  await screenshot('access-08-archive')
  await dialog.getByRole('button', { name: 'Archive' }).click()
  await page.getByText('It now waits for a second operator').waitFor()
  await page.getByRole('link', { name: 'Approvals (1)' }).click()
  expect(await page.getByRole('button', { name: 'Approve' }).isDisabled()).toBe(true)

  await signInAsOperator(second.page, {
    ...product,
    operatorEmail: SECOND.email,
    operatorPassword: SECOND.password,
  })
  await second.page.getByRole('link', { name: 'Approvals (1)' }).click()
  await second.page.getByRole('button', { name: 'Expand row' }).click()
  await second.page.getByText('They have left').waitFor()
  await second.screenshot('access-09-approvals')
  await second.page.getByRole('button', { name: 'Approve' }).click()
  const decision = second.page.getByRole('dialog')
  await decision.getByLabel('Reason').fill('Agreed by phone')
  await decision.getByLabel('Type DELTA to confirm').fill('DELTA')
  await decision.getByRole('button', { name: 'Approve' }).click()
  await second.page.getByText('Approved and carried out').waitFor({ timeout: LONG_MS })
  await second.page.getByRole('link', { name: 'Tenants' }).first().click()
  await expect
    .poll(
      async () => {
        await second.page.reload()
        return second.page.getByRole('row', { name: /DELTA/ }).innerText()
      },
      { timeout: LONG_MS, interval: 2_000 },
    )
    .toContain('Archived')
  await second.screenshot('access-10-archived')
})
