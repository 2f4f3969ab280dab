/** Who works in several companies of a tenant, in a real browser with two tabs. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { spawnTestProgram } from '../src/testing/process.ts'
import { ADMIN_PASSWORD, call, createTenant } from './api.ts'
import { openBrowser, screenshotFailure, signIn, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const SWITCH = 'Company: open the books of another one'
const [FIRST, SECOND] = ['Delta Trading', 'Nile Retail']

let product: Product
let browser: Browser
let admin: Visitor
/** The same person's second tab. */
let tab: Page
let home = ''

beforeAll(async () => {
  browser = await openBrowser()
  product = await startProduct()
  home = product.url.replace('localhost', 'delta.localhost')
  await createTenant(product, 'DELTA')
  admin = await visit(browser)
})

afterEach(({ task }) => screenshotFailure(task, { admin }))

afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

const shown = (page: Page, company: string) => page.getByRole('banner').getByText(company).first().waitFor()

async function changeTo(page: Page, company: string): Promise<void> {
  await page.bringToFront() // nothing moves in a tab behind another
  await page.getByLabel(SWITCH).click()
  await page.keyboard.type(company)
  await page.keyboard.press('Enter')
}

test('with one company there is nothing to choose', async () => {
  await signIn(admin.page, home, 'amal@delta.example', ADMIN_PASSWORD)
  await shown(admin.page, FIRST)
  expect(await admin.page.getByLabel(SWITCH).count()).toBe(0)
})

test('with two, the other is opened by keyboard, in every tab', async () => {
  const { page, screenshot } = admin
  const environment = { DATA_DIR: product.dataDirectory, READY_DATABASES: '0' }
  const made = spawnTestProgram('second-company.ts', ['DELTA', 'NILE', SECOND, 'EGP'], environment)
  expect(await made.exited, made.output()).toBe(0)
  tab = await page.context().newPage()
  await tab.goto(`${home}/accounts`)
  await tab.getByLabel(SWITCH).waitFor()
  await page.bringToFront()
  await page.reload()
  await page.getByLabel(SWITCH).click()
  await page.locator('.ant-select-item-option').getByText(`${SECOND} (EGP)`).waitFor()
  await screenshot('companies-01-choice')
  await page.keyboard.type(SECOND)
  await page.keyboard.press('Enter')
  for (const one of [page, tab]) {
    await shown(one, SECOND)
    await expect.poll(() => new URL(one.url()).pathname).toBe('/')
  }
  await screenshot('companies-02-changed')
  await page.reload()
  await shown(page, SECOND)
})

test('what is typed and not saved is asked for first; in another tab it never goes into the other books', async () => {
  const { page } = admin
  await tab.goto(`${home}/journal-entries/new`)
  await tab.getByLabel('Description, line 1').fill('Of the second company')
  let asked = 0
  tab.once('dialog', (dialog) => void (asked++, dialog.dismiss()))
  await changeTo(tab, FIRST)
  await expect.poll(() => asked).toBe(1)
  await shown(tab, SECOND)
  expect(await tab.getByLabel('Description, line 1').inputValue()).toBe('Of the second company')
  // Control: in this tab nothing is typed, and nobody is asked.
  await changeTo(page, FIRST)
  for (const one of [page, tab]) await shown(one, FIRST)
  await expect.poll(() => new URL(tab.url()).pathname).toBe('/')
  expect(await tab.getByText('Of the second company').count()).toBe(0)
  expect(admin.complaints).toEqual([])
})

test('who loses the company where they work is taken to the other one, and told', async () => {
  const email = 'sami@delta.example'
  const [given, password] = ['Window-Sill-39!', 'Garden-Gate-58!']
  const signedIn = async (body: object): Promise<{ tenantCode: string; token: string }> => {
    const { token } = await call<{ token: string }>(product, '/auth/login', { tenantCode: 'DELTA', body })
    return { tenantCode: 'DELTA', token }
  }
  const as = await signedIn({ email: 'amal@delta.example', password: ADMIN_PASSWORD })
  const { companies } = await call<{ companies: { id: string; name: string }[] }>(product, '/companies', as)
  const { roles } = await call<{ roles: { id: string; name: string }[] }>(product, '/roles', as)
  const companyIds = [FIRST, SECOND].map((name) => companies.find((one) => one.name === name)!.id)
  const roleId = roles.find(({ name }) => name === 'Accountant')!.id
  const sami = { fullName: 'Sami Farid', email, roleId, companyIds, password: given }
  const { id } = await call<{ id: string }>(product, '/users', { ...as, body: sami })
  const body = { currentPassword: given, newPassword: password }
  await call(product, '/auth/change-password', { ...(await signedIn({ email, password: given })), body })

  const { page, screenshot, complaints } = await visit(browser)
  await signIn(page, home, email, password)
  await changeTo(page, SECOND)
  await shown(page, SECOND)
  const left = { companyIds: companyIds.slice(0, 1) }
  await call(product, `/users/${id}`, { ...as, method: 'PUT', body: left })
  await page.getByRole('link', { name: 'Chart of accounts' }).click()
  await page.getByText(`You do not work in ${SECOND} any more`).waitFor()
  await shown(page, FIRST)
  await screenshot('companies-04-lost')
  await page.getByRole('link', { name: 'Chart of accounts' }).click()
  await page.getByText('Cash').first().waitFor()
  expect(await page.getByLabel(SWITCH).count()).toBe(0)
  expect(complaints.filter((text) => !text.includes('401'))).toEqual([])
  await page.context().close()
})

test('in Arabic the choice stands on the other side, and says what it is for', async () => {
  const { page, screenshot } = admin
  await page.getByRole('button', { name: 'Switch to Arabic' }).click()
  await page.getByLabel('الشركة: فتح دفاتر شركة أخرى').waitFor()
  await screenshot('companies-03-arabic')
})
