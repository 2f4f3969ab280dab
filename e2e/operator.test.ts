/**
 * The operator's day: servers, a fleet migration to the next release, backups, operations. A real browser, the
 * real product; the next release is this one with one more migration.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ADMIN_PASSWORD, call, createTenant } from './api.ts'
import { openBrowser, screenshotFailure, signInAsOperator, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const TENANTS = ['NILE', 'DELTA', 'OASIS'] as const
const LONG_MS = 120_000

const nextRelease = mkdtempSync(join(tmpdir(), 'erp-e2e-release-'))
let product: Product
let browser: Browser
let visitor: Visitor

beforeAll(async () => {
  browser = await openBrowser()
  const before = await startProduct()
  for (const code of TENANTS)
    await createTenant(before, code, { country: 'EG', currency: 'EGP', ...(code === 'NILE' ? { planCode: 'starter' } : {}) }) // prettier-ignore
  await before.stop({ keepsData: true })
  writeFileSync(
    join(nextRelease, '209912310001_nickname.sql'),
    '-- Up Migration\nALTER TABLE core.company ADD COLUMN nickname text;\n-- Down Migration\nALTER TABLE core.company DROP COLUMN nickname;\n',
  )
  product = await startProduct({
    dataDirectory: before.dataDirectory,
    program: 'src/testing/release-server.ts',
    environment: { EXTRA_MIGRATIONS: nextRelease, SLOW_MS: '8000', MIGRATE_AT_START: 'false' },
  })
  visitor = await visit(browser)
}, 180_000)
afterEach(async ({ task }) => {
  await screenshotFailure(task, { operator: visitor })
  if (task.result?.state !== 'fail') return
  await visitor?.page.keyboard.press('Escape') // a dialog would be in the way of the next test
})
afterAll(async () => {
  await browser?.close()
  await product?.stop()
  rmSync(nextRelease, { recursive: true, force: true })
})

const follow = async (page: Page, link: string): Promise<void> => {
  await page.getByRole('link', { name: link, exact: true }).click()
  await page.getByRole('heading', { name: link, level: 1 }).waitFor()
}

test('the servers, with their health', async () => {
  const { page, screenshot } = visitor
  await signInAsOperator(page, product)
  await follow(page, 'Servers')
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
  await dialog.getByRole('alert').waitFor({ timeout: LONG_MS })
  await screenshot('21-server-refused')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  expect(await page.getByText('nowhere').count()).toBe(0)
})

test('a canary goes first when the fleet is migrated', async () => {
  const { page, screenshot } = visitor
  await follow(page, 'Tenants')
  await page.getByRole('link', { name: 'OASIS' }).click()
  const canary = page.getByRole('switch', { name: 'Canary' })
  await canary.click()
  await page.getByRole('switch', { name: 'Canary', checked: true }).waitFor()
  await screenshot('22-tenant')
  await follow(page, 'Fleet migrations')
  await page.getByText('209912310001_nickname').first().waitFor()
  await page
    .getByRole('row', { name: /1 .*canar/i })
    .getByText('OASIS')
    .waitFor()
  await screenshot('23-fleet-plan')
})

test('the fleet migration is started, paused, resumed and seen to its end', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('button', { name: 'Migrate the fleet' }).click()
  await page.getByRole('dialog').getByLabel('Tenants at once').fill('1')
  await page.getByRole('dialog').getByRole('button', { name: 'Migrate the fleet' }).click()
  await page.getByRole('heading', { name: /Fleet migration of/ }).waitFor()
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByRole('dialog').getByLabel('Reason').fill('lunch')
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
  await page.getByText('lunch').waitFor()
  await screenshot('24-fleet-paused')
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByText('3/3').first().waitFor({ timeout: LONG_MS })
  await page.getByRole('button', { name: 'Roll back' }).waitFor({ timeout: LONG_MS })
  await screenshot('25-fleet-done')
})

test('a backup is taken, and its steps and figures are shown', async () => {
  const { page, screenshot } = visitor
  await follow(page, 'Tenants')
  await page.getByRole('link', { name: 'NILE' }).click()
  await page.getByRole('tab', { name: 'Backups' }).click()
  await page.getByRole('button', { name: 'Back up now' }).click()
  await page.getByRole('dialog').getByText('100%').or(page.getByRole('dialog').locator('.ant-progress-status-success')).first().waitFor({ timeout: LONG_MS }) // prettier-ignore
  await screenshot('26-backup-progress')
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
  const row = page.getByRole('row').filter({ hasText: 'On demand' })
  await row.getByText('Good').waitFor({ timeout: LONG_MS })
  await screenshot('27-tenant-backups')
  await follow(page, 'Backups')
  await page.getByRole('link', { name: 'NILE' }).first().waitFor()
})

test('it is restored beside the live database, what differs is shown, and it is dropped again', async () => {
  // Written after the backup: a swap would lose it.
  const credentials = { email: 'amal@nile.example', password: ADMIN_PASSWORD }
  const tenantCode = 'NILE'
  const { token } = await call<{ token: string }>(product, '/auth/login', { tenantCode, body: credentials })
  const unit = { code: 'ARDEB', name: 'Ardeb', category: 'volume' }
  await call(product, '/masters/units-of-measure', { tenantCode, token, body: unit })

  const { page, screenshot } = visitor
  await follow(page, 'Tenants')
  await page.getByRole('link', { name: 'NILE' }).click()
  await page.getByRole('tab', { name: 'Backups' }).click()
  const row = page.getByRole('row').filter({ hasText: 'On demand' })
  await row.getByRole('button', { name: 'Restore' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('Nothing live is touched').waitFor()
  await screenshot('33-restore-dialog')
  await dialog.getByRole('button', { name: 'Restore' }).click()
  await dialog.locator('.ant-progress-status-success').waitFor({ timeout: LONG_MS })
  await screenshot('34-restore-progress')
  await dialog.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('tab', { name: 'Restores' }).click()
  await page
    .getByRole('row')
    .filter({ hasText: 'Ready' })
    .getByRole('button', { name: 'What differs' })
    .click()
  const difference = page.getByRole('row').filter({ hasText: 'masters.unit_of_measure' })
  await difference.getByText('1', { exact: true }).waitFor()
  await screenshot('35-restore-difference')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Drop' }).click()
  const drop = page.getByRole('dialog').getByRole('button', { name: 'Drop' })
  expect(await drop.isDisabled()).toBe(true)
  await page.getByLabel('Type NILE to confirm').fill('NILE')
  await drop.click()
  await page.getByText('Dropped', { exact: true }).waitFor({ timeout: LONG_MS })
  await screenshot('36-restores')
})

test('moving, exporting and archiving are offered, with their consequences', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('tab', { name: 'Moves' }).click()
  await page.getByRole('button', { name: 'Move' }).click()
  await page.getByRole('dialog').getByText('Its users work on.').waitFor()
  await screenshot('37-move-dialog')
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('tab', { name: 'Export and archive' }).click()
  await page.getByRole('button', { name: 'Export everything' }).click()
  await page.getByRole('dialog').locator('.ant-progress-status-success').waitFor({ timeout: LONG_MS })
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download' }).click()
  expect((await download).suggestedFilename()).toBe('nile-export.zip')
  await screenshot('38-export-and-archive')
})

test('the schema report shows every tenant as it should be', async () => {
  const { page, screenshot } = visitor
  await follow(page, 'Fleet migrations')
  await page.getByRole('link', { name: 'Schema report' }).click()
  await page
    .getByText('As it should be')
    .nth(TENANTS.length - 1)
    .waitFor({ timeout: LONG_MS })
  await screenshot('39-schema-report')
})

test('operations and alerts', async () => {
  const { page, screenshot, complaints } = visitor
  await follow(page, 'Operations')
  await page.getByRole('button', { name: 'Back up' }).first().click()
  await page.getByText('Reading the archive back').waitFor()
  await screenshot('28-operations')
  await page.getByRole('button', { name: 'Close' }).click()
  await follow(page, 'Alerts')
  await screenshot('29-alerts')
  // A refused server is answered 400, which the browser notes.
  expect(complaints.filter((complaint) => !complaint.includes('400'))).toEqual([])
})

test('the same in Arabic, right to left and dark', async () => {
  const { page, screenshot } = visitor
  await page.getByRole('button', { name: 'Switch to Arabic' }).click()
  await page.getByRole('button', { name: 'فاتح أو داكن' }).click()
  await page.getByRole('menuitem', { name: 'داكن' }).click()
  await follow(page, 'ترحيل العملاء')
  await screenshot('30-fleet-arabic-dark')
  await follow(page, 'الخوادم')
  await page.getByText('متاح', { exact: true }).waitFor()
  await screenshot('31-servers-arabic-dark')
  await follow(page, 'العملاء')
  await page.getByRole('link', { name: 'NILE' }).click()
  await page.getByRole('tab', { name: 'النسخ الاحتياطية' }).click()
  await page.getByText('سليمة').first().waitFor()
  await screenshot('32-backups-arabic-dark')
})
