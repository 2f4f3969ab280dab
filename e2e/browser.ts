import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import type { TestContext } from 'vitest'
import type { Product } from './product.ts'

const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
const SCREENSHOTS = join(import.meta.dirname, 'screenshots')
const PATIENCE_MS = 15_000

/** A test that cannot run is a failed test: nothing is skipped when the browser is missing. */
export async function openBrowser(): Promise<Browser> {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(
      `No Chromium at ${EXECUTABLE}: install it (apt-get install chromium) or set CHROMIUM_PATH`,
    )
  }
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** At a tenant's address, until its first page is there. */
export async function signIn(page: Page, home: string, email: string, password: string): Promise<void> {
  await fillSignIn(page, `${home}/sign-in`, email, password)
  await page.getByRole('link', { name: 'Home' }).waitFor()
}

export async function signInAsOperator(
  page: Page,
  { url, operatorEmail, operatorPassword }: Pick<Product, 'url' | 'operatorEmail' | 'operatorPassword'>,
): Promise<void> {
  await fillSignIn(page, `${url}/operator`, operatorEmail, operatorPassword)
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
}

export async function fillSignIn(
  page: Page,
  address: string,
  email: string,
  password: string,
): Promise<void> {
  await page.goto(address)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.keyboard.press('Enter')
}

/** Of a test that failed: what each of them saw. */
export async function screenshotFailure(
  task: TestContext['task'],
  visitors: Readonly<Record<string, Visitor | undefined>>,
): Promise<void> {
  if (task.result?.state !== 'fail') return
  const name = `failed-${task.name.replace(/\W+/g, '-').slice(0, 60)}`
  for (const [who, visitor] of Object.entries(visitors)) await visitor?.screenshot(`${name}-${who}`)
}

export interface Visitor {
  page: Page
  /** What the browser complained about: scripts that failed, rules of the content security policy. */
  complaints: string[]
  screenshot(name: string): Promise<void>
}

export async function visit(browser: Browser): Promise<Visitor> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, locale: 'en-GB' })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  const screenshot = async (name: string) => {
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: 'disabled' })
  }
  return { page, complaints, screenshot }
}
