/** The operator's day: servers, the fleet, operations, one tenant's care. A real browser, the real product. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openBrowser, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

let product: Product
let browser: Browser
let visitor: Visitor

beforeAll(async () => {
  browser = await openBrowser()
  product = await startProduct()
  visitor = await visit(browser)
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await visitor?.screenshot(`failed-${task.name.replace(/\W+/g, '-')}`)
})
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

test('the servers, with their health', async () => {
  const { page, screenshot } = visitor
  await page.goto(`${product.url}/operator`)
  await page.getByLabel('E-mail').fill(product.operatorEmail)
  await page.getByRole('textbox', { name: 'Password' }).fill(product.operatorPassword)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
  await page.getByRole('link', { name: 'Servers' }).click()
  await page.getByRole('heading', { name: 'Servers' }).waitFor()
  await page.getByText('of the configuration').waitFor()
  await page.getByText('Reachable', { exact: true }).waitFor()
  await screenshot('20-servers')
})

test('a server that does not answer is refused with its reason, and nothing is kept', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('button', { name: 'Add server' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('nowhere')
  await dialog.getByLabel('Host').fill('127.0.0.1')
  await dialog.getByLabel('Port').fill('1')
  await dialog.getByLabel('Administrator', { exact: true }).fill('postgres')
  await dialog.getByLabel('Password of the administrator').fill('secret')
  await dialog.getByRole('button', { name: 'Add server' }).click()
  await dialog.getByRole('alert').waitFor({ timeout: 30_000 })
  await screenshot('21-server-refused')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  expect(await page.getByText('nowhere').count()).toBe(0)
})

test('the fleet', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('link', { name: 'Fleet migrations' }).click()
  await page.getByRole('heading', { name: 'Fleet migrations', level: 1 }).waitFor()
  await page.getByText('Newest version', { exact: true }).waitFor()
  await screenshot('22-fleet')
})

test('the operations', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('link', { name: 'Operations' }).click()
  await page.getByRole('heading', { name: 'Operations' }).waitFor()
  await screenshot('23-operations')
})
