/**
 * People of a tenant, in a real browser against the real product: an administrator makes a role and invites a
 * user, the mail is read where nothing is sent, the user sets a password, signs in and sees what the role allows.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ADMIN_PASSWORD as PASSWORD, createTenant } from './api.ts'
import { openBrowser, screenshotFailure, signIn, signInAsOperator, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const NEW_PASSWORD = 'Winter-Storm-58?'
const ADMIN_EMAIL = 'amal@delta.example'
const USER = { name: 'Sami Fahmy', email: 'sami@delta.example' }
/** A dot of red. */
const PHOTO = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64') // prettier-ignore

let product: Product
let browser: Browser
let admin: Visitor
let operator: Visitor
let user: Visitor
/** Where the tenant signs in. */
let home = ''

beforeAll(async () => {
  browser = await openBrowser()
  product = await startProduct()
  home = product.url.replace('localhost', 'delta.localhost')
  ;[admin, operator, user] = await Promise.all([visit(browser), visit(browser), visit(browser)])
  await createTenant(product, 'DELTA')
})

afterEach(({ task }) => screenshotFailure(task, { admin, operator, user }))

afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

test('an administrator makes a role: rows, columns and single permissions', async () => {
  const { page, screenshot } = admin
  await signIn(page, home, ADMIN_EMAIL, PASSWORD)
  await page.getByRole('link', { name: 'Roles' }).click()
  await page.getByRole('link', { name: 'Administrator' }).click()
  await page.getByText('The Administrator role stays as it is').waitFor()
  expect(await page.getByRole('button', { name: 'Save' }).count()).toBe(0)
  await page.getByRole('button', { name: 'Back' }).click()
  await page.getByRole('button', { name: 'New role' }).click()
  await page.getByLabel('Name').fill('Clerk')
  await page.getByLabel('Largest discount in percent').fill('12.5')
  await page.getByLabel('Units of measure: everything in this module').check()
  await page.getByLabel('Chart of accounts: See').check()
  expect(await page.getByLabel('Units of measure: Delete').isChecked()).toBe(true)
  expect(await page.getByLabel('Units of measure: Delete').isDisabled()).toBe(true)
  await screenshot('people-01-role')
  await page.getByRole('button', { name: 'Save' }).click()
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'Clerk' }) })
  await row.getByText('12.5 %').waitFor()
})

test('and invites a user into it', async () => {
  const { page, screenshot } = admin
  await page.getByRole('link', { name: 'Users' }).click()
  await page.getByRole('button', { name: 'Invite a user' }).click()
  const drawer = page.getByRole('dialog')
  await drawer.getByLabel('Full name').fill(USER.name)
  await drawer.getByLabel('E-mail').fill(USER.email)
  await drawer.getByLabel('Role').click()
  await page.keyboard.type('Clerk')
  await page.keyboard.press('Enter')
  await drawer.getByRole('button', { name: 'Save' }).click()
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: USER.name }) })
  await row.getByText('Invited').waitFor()
  await screenshot('people-02-invited')
})

test('a file of people is taken whole or not at all, and each wrong line is told', async () => {
  const { page, screenshot } = admin
  const send = async (...lines: string[]) => {
    const buffer = Buffer.from(['fullName,email,role', ...lines].join('\n'))
    await page.locator('input[type=file]').setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer })
    await page.getByRole('button', { name: 'Invite them' }).click()
  }
  await page.getByRole('button', { name: 'Invite from a file' }).click()
  await send('Layla Nour,layla@delta.example,Viewer', 'Omar,no-address,Nobody')
  await page.getByText('Nobody was invited').waitFor()
  await page.getByText('There is no active role "Nobody"').waitFor()
  await screenshot('people-03-wrong-lines')
  await send('Layla Nour,layla@delta.example,Viewer')
  await page.getByText('People invited: 1').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click()
  await page.getByRole('link', { name: 'Layla Nour' }).waitFor()
})

test('the mail is read in the operator portal, where it can do nothing', async () => {
  const { page, screenshot } = operator
  await signInAsOperator(page, product)
  await page.getByRole('link', { name: 'Mails' }).click()
  const link = await linkMailedTo(page, USER.email, 'You have been invited')
  expect(await page.locator('iframe').getAttribute('sandbox')).toBe('')
  await page.frameLocator('iframe').getByRole('link', { name: 'Choose a password' }).waitFor()
  await screenshot('people-04-mail')
  await user.page.goto(link)
})

test('the user sets a password, each broken rule named, and signs in', async () => {
  const { page, screenshot } = user
  await page.getByLabel('New password').fill('sami-sami')
  await page.getByLabel('Repeat the password').fill('sami-sami')
  await page.getByRole('button', { name: 'Set password' }).click()
  for (const rule of ['needs an upper-case letter', 'needs a digit', 'must not contain the name'])
    await page.getByText(rule).waitFor()
  await screenshot('people-05-broken-rules')
  await page.getByLabel('New password').fill(PASSWORD)
  await page.getByLabel('Repeat the password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Set password' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await signIn(page, home, USER.email, PASSWORD)
})

test('they see what the role allows, and their own page', async () => {
  const { page, screenshot } = user
  const menu = page.getByRole('menu').first()
  await menu.getByRole('link', { name: 'Units of measure' }).waitFor()
  await menu.getByRole('link', { name: 'Chart of accounts' }).waitFor()
  const hidden = ['Journal entries', 'Trial balance', 'Currencies', 'Users', 'Roles', 'Mails']
  for (const name of hidden) expect(await menu.getByRole('link', { name }).count(), name).toBe(0)
  await menu.getByRole('link', { name: 'Units of measure' }).click()
  await page.getByRole('button', { name: 'New unit' }).first().waitFor()
  // Who knows the address is refused by the server.
  await page.goto(`${home}/settings/users`)
  await page.getByRole('alert').getByText('does not allow').or(page.getByText('not allow')).first().waitFor()
  await page.getByRole('button', { name: `Account of ${USER.name}` }).click()
  await page.getByRole('link', { name: 'My profile' }).click()
  await page.getByRole('tab', { name: 'Photo' }).click()
  const photo = { name: 'me.png', mimeType: 'image/png', buffer: PHOTO }
  await page.locator('input[type=file]').setInputFiles(photo)
  await page.getByRole('button', { name: 'Use this photo' }).click()
  await page.getByRole('button', { name: 'Remove the photo' }).waitFor()
  await screenshot('people-06-own-page')
  await page.getByRole('tab', { name: 'Sessions' }).click()
  await page.getByText('This one').waitFor()
})

test('who has forgotten the password is mailed a link', async () => {
  const { page, screenshot } = user
  await page.getByRole('button', { name: `Account of ${USER.name}` }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Forgot your password?' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('E-mail').fill(USER.email)
  await dialog.getByRole('button', { name: 'Send the link' }).click()
  await page.getByText('a mail is on its way').waitFor()
  await screenshot('people-07-forgotten')
  await operator.page.goto(`${product.url}/operator/mails`)
  await page.goto(await linkMailedTo(operator.page, USER.email, 'Set a new password'))
  await page.getByLabel('New password').fill(NEW_PASSWORD)
  await page.getByLabel('Repeat the password').fill(NEW_PASSWORD)
  await page.getByRole('button', { name: 'Set password' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await signIn(page, home, USER.email, NEW_PASSWORD)
})

test('deactivated, they are out at once; deleted and restored, they are back', async () => {
  const { page, screenshot } = admin
  await page.getByRole('link', { name: 'Users' }).click()
  await page.getByRole('link', { name: USER.name }).click()
  await step(page, 'Deactivate')
  await page.getByText('Inactive').waitFor()
  await user.page.getByRole('link', { name: 'Units of measure' }).click()
  await user.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await step(page, 'Delete')
  await page.getByRole('heading', { name: 'Users' }).waitFor()
  expect(await page.getByText(USER.email).count()).toBe(0)
  await page.getByLabel('Deleted, too').click()
  await page.getByText(USER.email).waitFor()
  await screenshot('people-08-deleted')
  await step(page, 'Restore')
  await page.getByRole('link', { name: USER.name }).waitFor()
})

test('what is changed is saved against its version, and leads back to the list', async () => {
  const { page } = admin
  await page.getByRole('link', { name: 'Layla Nour' }).click()
  await page.getByLabel('Phone').fill('+20 100 555')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { name: 'Users' }).waitFor()
  await page.getByRole('link', { name: 'Roles' }).click()
  await page.getByRole('link', { name: 'Clerk' }).click()
  await page.getByLabel('Mails: See').check()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { name: 'Roles' }).waitFor()
  await page.getByRole('link', { name: 'Users' }).first().click()
})

test('a signature is shown as it will look, and what could do harm is gone when it is saved', async () => {
  const { page, screenshot } = admin
  await page.getByRole('link', { name: 'Layla Nour' }).click()
  await page.getByRole('tab', { name: 'E-mail' }).click()
  await page.getByLabel('Server', { exact: true }).fill('127.0.0.1')
  const signature = page.getByLabel('Signature (HTML)')
  await signature.fill('<p>Layla <b>Nour</b></p><script>document.title = "taken over"</script>')
  await page.frameLocator('iframe').first().getByText('Layla Nour').waitFor()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Saved', { exact: true }).last().waitFor()
  await expect.poll(() => signature.inputValue()).toBe('<p>Layla <b>Nour</b></p>')
  expect(await page.title()).toContain('Layla Nour')
  await page.getByRole('button', { name: 'Send a test' }).click()
  await page.getByText('could not be reached').waitFor()
  await screenshot('people-09-signature')
})

test('the same in Arabic, right to left and dark', async () => {
  const { page, screenshot, complaints } = admin
  await page.getByRole('button', { name: 'Switch to Arabic' }).click()
  await page.getByRole('button', { name: 'فاتح أو داكن' }).click()
  await page.getByRole('menuitem', { name: 'داكن' }).click()
  await page.getByRole('link', { name: 'الأدوار' }).click()
  await page.getByRole('link', { name: 'Clerk' }).click()
  await page.getByText('ما يستطيعه أصحاب هذا الدور').waitFor()
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl')
  await screenshot('people-10-arabic-role')
  // The browser also tells of answers that were refusals, and of the script that the frame kept from running.
  const expected = /status of 40[04]|Blocked script execution in 'about:srcdoc'/
  expect(complaints.filter((text) => !expected.test(text))).toEqual([])
})

/** The link in the newest mail of this kind, opened in the reader. */
async function linkMailedTo(page: Page, email: string, subject: string): Promise<string> {
  const row = page.getByRole('row').filter({ hasText: email }).filter({ hasText: subject }).first()
  await row.waitFor({ timeout: 30_000 }) // the list looks again by itself
  await row.getByRole('button', { name: subject }).click()
  await page.getByRole('tab', { name: 'As plain text' }).click()
  const link = await page.getByRole('link', { name: /set-password\?token=/ }).getAttribute('href')
  await page.getByRole('tab', { name: 'As it looks' }).click()
  return link ?? ''
}

/** Presses the button, and says yes. */
async function step(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).first().click()
  await page.getByRole('dialog').getByRole('button', { name, exact: true }).click()
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
}
