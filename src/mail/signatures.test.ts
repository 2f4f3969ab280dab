import { expect, test } from 'vitest'
import { sanitisedHtml, sanitisedOrNothing, signed, textOfHtml } from './signatures.ts'
import { render } from './templates.ts'

const HARMFUL = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
  '<a href="javascript:alert(1)">a</a>',
  '<a href="JaVa&#x0A;script:alert(1)">a</a>',
  '<a href="//evil.example/x">a</a>',
  '<iframe src="https://evil.example"></iframe>',
  '<form action="https://evil.example"><input name=password></form>',
  '<svg onload=alert(1)><circle/></svg>',
  '<style>*{background:url(https://evil.example)}</style>',
  '<p style="background:url(https://evil.example);position:fixed;top:0">a</p>',
  '<p style="color:expression(alert(1))">a</p>',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<base href="https://evil.example">',
  '<!--[if IE]><script>alert(1)</script><![endif]-->',
  '<math><mtext></p><style><img src=x onerror=alert(1)></style></math>',
  '</div></body></html><script>alert(1)</script>',
  '<p onclick="alert(1)" class="x" id="y">a</p>',
  '<object data="x"></object><embed src="x"><link rel=stylesheet href=x>',
]
const DANGER =
  /<(?!\/?(?:p|div|span|a|img|br|b|strong)\b)|\son\w+=|javascript:|data:|expression|position|url\(|\/\/evil|class=|id=/i

test.each(HARMFUL)('%s loses what could do harm', (html) => {
  const clean = sanitisedHtml(html)
  expect(clean).not.toMatch(DANGER)
  expect(sanitisedHtml(clean)).toBe(clean) // what is stored is not changed once more at sending
  expect(`<p>${html}</p>`).toMatch(/evil|alert|data:|class=|<object/) // control: there was something to lose
})

test('what a signature is made of stays', () => {
  const html =
    '<p style="color:#1677ff;font-weight:bold">Ann <i>Keeper</i></p><a href="https://a.example/?x=1&amp;y=2">a.example</a> <a href="tel:+15550100">call</a><br /><img src="https://a.example/logo.png" alt="Logo" width="80" /><table><tr><td>1</td></tr></table>'
  const clean = sanitisedHtml(html)
  for (const part of [
    'color:#1677ff',
    'font-weight:bold',
    '<i>Keeper</i>',
    'https://a.example/?x=1&amp;y=2',
    'tel:+15550100',
    'logo.png',
    '<td>1</td>',
  ]) {
    expect(clean).toContain(part)
  }
  expect(sanitisedOrNothing('<p> <br></p><script>1</script>')).toBeNull()
  expect(sanitisedOrNothing(null)).toBeNull()
})

test('plain text says the same, links with their addresses', () => {
  expect(textOfHtml('<p>Ann &amp; <b>Bob</b></p><div>a &lt; b</div>x<br>y')).toBe('Ann & Bob\na < b\nx\ny')
  expect(
    textOfHtml('<a href="https://a.example">our site</a> <a href="mailto:a@b.example">a@b.example</a>'),
  ).toBe('our site (https://a.example) a@b.example')
  expect(textOfHtml('<p>مع <b>التحية</b></p>')).toBe('مع التحية')
})

test('signature and footer stand below what is said, in both forms; what was stored unclean is cleaned', () => {
  const content = render('test', 'ar', { fullName: 'آن' })
  const mail = signed(content, {
    signatureHtml: '<p>Ann $& $1</p><script>alert(1)</script>',
    footerHtml: '<p>شركة أكمي</p>',
  })
  expect(mail.html).not.toContain('<script')
  expect(mail.html.indexOf('Ann $&amp; $1')).toBeGreaterThan(mail.html.indexOf('آن'))
  expect(mail.html.indexOf('شركة أكمي')).toBeGreaterThan(mail.html.indexOf('Ann $&amp;'))
  expect(mail.html.trimEnd().endsWith('</body></html>')).toBe(true)
  expect(mail.text).toBe(`${content.text}\n-- \nAnn $& $1\n\nشركة أكمي\n`)
  expect(signed(content, { signatureHtml: null, footerHtml: '<p></p>' })).toEqual(content)
})

test('deep and long HTML is taken in little time', () => {
  const startedAt = performance.now()
  sanitisedHtml('<div>'.repeat(4_000))
  textOfHtml('<a href="x">'.repeat(1_600))
  sanitisedHtml(`<p style="${'color:red;'.repeat(1_900)}">`)
  expect(performance.now() - startedAt).toBeLessThan(3_000)
})
