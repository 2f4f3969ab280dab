/** Who works in several companies of a tenant, in a real browser with two tabs. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { spawnTestProgram } from '../src/testing/process.ts'
import { ADMIN_PASSWORD, createTenant } from './api.ts'
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

test('in Arabic the choice stands on the other side, and says what it is for', async () => {
  const { page, screenshot } = admin
  await page.getByRole('button', { name: 'Switch to Arabic' }).click()
  await page.getByLabel('الشركة: فتح دفاتر شركة أخرى').waitFor()
  await screenshot('companies-03-arabic')
})
