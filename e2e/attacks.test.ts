/**
 * What others have typed, in the browser of whoever reads it: no script runs and nothing becomes part of the page.
 * And pages that lead elsewhere, or that stand in a frame of somebody else's.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client } from '../src/testing/client.ts'
import { fillSignIn, openBrowser, visit, type Visitor } from './browser.ts'
import { startProduct, type Product } from './product.ts'

const PASSWORD = 'Harvest-Moon-47!'
const EMAIL = 'amal@nile.example'
/** Whatever of it becomes an element has the mark; whatever of it runs raises the flag. */
const EVIL = '<img src=x data-evil onerror="window.evil=1"><svg data-evil onload="window.evil=1"><script data-evil>window.evil=1</script><a data-evil href="javascript:window.evil=1">x</a>' // prettier-ignore
const PAGES_MINIMUM = 8

let product: Product
let browser: Browser
let visitor: Visitor
let elsewhere: Server
let elsewhereUrl: string

beforeAll(async () => {
  browser = await openBrowser()
  product = await startProduct()
  visitor = await visit(browser)
  await plant()
  // Somebody else's site: any page, and one that frames what its address says.
  elsewhere = createServer((request, response) => {
    const framed = new URL(request.url ?? '', 'http://x').searchParams.get('framed')
    response.setHeader('content-type', 'text/html')
    response.end(framed === null ? '<h1>elsewhere</h1>' : `<iframe src="${framed}"></iframe>`)
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  elsewhereUrl = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
})
afterAll(async () => {
  await browser?.close()
  elsewhere?.close()
  await product?.stop()
})

/** Into everything that is text and takes it. */
async function plant(): Promise<void> {
  const anonymous = new Client(product.url)
  const credentials = { email: product.operatorEmail, password: product.operatorPassword }
  const { token } = (
    await anonymous.send<{ token: string }>('POST', '/api/v1/platform/auth/login', credentials)
  ).ok()
  const operator = anonymous.with({ token })
  const tenant = {
    tenantCode: 'NILE',
    companyName: EVIL.slice(0, 200),
    subdomain: 'nile',
    planCode: 'professional',
    country: 'EG',
    currency: 'EGP',
    chartTemplate: 'generic',
    adminName: EVIL.slice(0, 200),
    adminEmail: EMAIL,
    adminPassword: PASSWORD,
  }
  ;(await operator.send('POST', '/api/v1/platform/tenants', tenant)).ok()
  const at = anonymous.with({ tenant: 'NILE' })
  const session = (
    await at.send<{ token: string; user: { id: string } }>('POST', '/api/v1/auth/login', {
      email: EMAIL,
      password: PASSWORD,
    })
  ).ok()
  const admin = at.with({ token: session.token })
  const send = async (method: string, path: string, body: unknown): Promise<void> =>
    void (await admin.send(method, `/api/v1${path}`, body)).ok()
  const text = EVIL.slice(0, 200)
  await send('POST', '/roles', { name: text.slice(0, 60), description: text, permissions: ['users:view'] })
  await send('POST', '/masters/units-of-measure', {
    code: 'EVIL',
    name: text.slice(0, 100),
    category: 'count',
  })
  await send('POST', '/finance/journal-entries', {
    transactionDate: '2026-03-01',
    status: 'posted',
    description: text,
    reference: text.slice(0, 60),
    lines: [
      { accountCode: '1190', debit: '1.00', description: text },
      { accountCode: '4110', credit: '1.00', description: text },
    ],
  })
  const mail = {
    host: '127.0.0.1',
    port: 2_525,
    security: 'none',
    fromName: text,
    signatureHtml: EVIL,
    footerHtml: EVIL,
  }
  await send('PUT', `/users/${session.user.id}/email-settings`, mail)
}

/** What of the evil has come to life on this page. */
function alive(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { document } = globalThis as unknown as {
      document: { querySelectorAll(selector: string): Iterable<{ tagName: string }> }
    }
    const elements = [...document.querySelectorAll('[data-evil]')].map(({ tagName }) => tagName)
    return 'evil' in globalThis ? [...elements, 'ran'] : elements
  })
}

/** Every page that the menu and the page itself lead to, as far as there are some. */
async function pagesFrom(page: Page): Promise<string[]> {
  const links = await page
    .locator('a[href^="/"]')
    .evaluateAll((found) =>
      found.map((link) => (link as unknown as { getAttribute(name: string): string }).getAttribute('href')),
    )
  return [...new Set(links)].filter((link) => !/sign-in|sign-out|\/api\//.test(link))
}

async function walk(page: Page, home: string): Promise<{ visited: number; seen: string; found: string[] }> {
  const origin = new URL(home).origin
  const waiting = [new URL(home).pathname]
  const visited = new Set<string>()
  const found: string[] = []
  let seen = ''
  while (waiting.length > 0 && visited.size < 30) {
    const path = waiting.shift()!
    if (visited.has(path)) continue
    visited.add(path)
    await page.goto(`${origin}${path}`)
    await page.waitForLoadState('networkidle').catch(() => {})
    for (const what of await alive(page)) found.push(`${path}: ${what}`)
    seen += await page.locator('body').innerText()
    waiting.push(...(await pagesFrom(page)))
  }
  return { visited: visited.size, seen, found }
}

const tenantUrl = (): string => product.url.replace('localhost', 'nile.localhost')

test('a user reads what others have typed, and nothing of it lives', async () => {
  const { page, complaints } = visitor
  await fillSignIn(page, tenantUrl(), EMAIL, PASSWORD)
  await page.getByRole('link', { name: 'Home' }).waitFor()
  const { visited, seen, found } = await walk(page, tenantUrl())
  expect(found).toEqual([])
  expect(visited).toBeGreaterThanOrEqual(PAGES_MINIMUM)
  expect(seen).toContain('onerror=') // it is there, and is shown as what it is
  expect(complaints.filter((complaint) => /Content Security Policy/.test(complaint))).toEqual([]) // not even tried
  // Control: as part of the page it is seen; that it does not run even then is the policy's doing.
  await page.evaluate((html) => {
    const { document } = globalThis as unknown as {
      document: { body: { insertAdjacentHTML(where: string, html: string): void } }
    }
    document.body.insertAdjacentHTML('beforeend', html)
  }, EVIL)
  expect(await alive(page)).toEqual(expect.arrayContaining(['IMG', 'svg']))
  expect(await alive(page)).not.toContain('ran')
})

test('so does an operator', async () => {
  const { page } = await visit(browser)
  await fillSignIn(page, `${product.url}/operator`, product.operatorEmail, product.operatorPassword)
  await page.getByRole('heading', { name: 'Tenants' }).waitFor()
  const { visited, seen, found } = await walk(page, `${product.url}/operator`)
  expect(found).toEqual([])
  expect(visited).toBeGreaterThanOrEqual(4)
  expect(seen).toContain('onerror=')
})

test.each([
  '//elsewhere',
  '/\\elsewhere',
  'http://elsewhere',
  'javascript:alert(1)',
  '/\t/elsewhere',
  '\\\\elsewhere',
  '/%09/elsewhere',
])('after signing in %j leads nowhere else', async (next) => {
  const { page } = await visit(browser)
  const to = next.replace('elsewhere', new URL(elsewhereUrl).host)
  await fillSignIn(
    page,
    `${tenantUrl()}/sign-in?next=${encodeURIComponent(JSON.stringify(to))}`,
    EMAIL,
    PASSWORD,
  )
  await page.getByRole('heading', { name: 'Sign in' }).waitFor({ state: 'hidden' })
  await page.waitForLoadState('networkidle').catch(() => {})
  expect(new URL(page.url()).origin).toBe(new URL(tenantUrl()).origin)
  expect(await page.getByText('elsewhere', { exact: true }).count()).toBe(0)
  await page.context().close()
})

test('no page of ours stands in a frame of somebody else’s', async () => {
  const { page } = await visit(browser)
  const framed = async (address: string): Promise<string> => {
    await page.goto(`${elsewhereUrl}/?framed=${encodeURIComponent(address)}`)
    const frame = page.frames()[1]
    await frame?.waitForLoadState().catch(() => {})
    return (await frame?.content().catch(() => '')) ?? ''
  }
  expect(await framed(elsewhereUrl)).toContain('elsewhere') // control: another page does
  for (const path of ['/sign-in', '/operator/sign-in', '/api/v1/docs/', '/api/v1/openapi.json'])
    expect([path, /id="root"|swagger|openapi/.test(await framed(`${product.url}${path}`))]).toEqual([
      path,
      false,
    ])
})
