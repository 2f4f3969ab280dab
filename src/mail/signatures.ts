/**
 * Signatures and footers: HTML that users write, and that others read in their mail program. It is made
 * harmless when it is stored, and again when it is sent: what lies in the database may be older than a rule.
 */
import sanitizeHtml from 'sanitize-html'
import { escapeHtml } from './templates.ts'
import type { MailContent } from './message.ts'

const NESTING_MAXIMUM = 50
const COLOUR = /^(?:#[0-9a-f]{3,8}|[a-z]{3,20}|rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\))$/i
const SIZE = /^\d{1,4}(?:\.\d{1,2})?(?:px|pt|em|%)?$/
const WORDS = /^[\w\s,'"-]{1,100}$/

/** What is not named here is gone: scripts, forms, frames, handlers, styles that reach beyond their place. */
const RULES: sanitizeHtml.IOptions = {
  allowedTags:
    'p div span br hr b strong i em u s small a img ul ol li blockquote h1 h2 h3 h4 table thead tbody tr td th'.split(
      ' ',
    ),
  allowedAttributes: {
    '*': ['style', 'dir', 'align'],
    a: ['href'],
    img: ['src', 'alt', 'width', 'height'],
    td: ['colspan', 'rowspan', 'valign', 'width'],
    th: ['colspan', 'rowspan', 'valign', 'width'],
    table: ['width', 'cellpadding', 'cellspacing', 'border'],
  },
  allowedSchemes: ['https', 'http', 'mailto', 'tel'],
  allowedSchemesByTag: { img: ['https'] },
  allowProtocolRelative: false,
  allowedStyles: {
    '*': {
      color: [COLOUR],
      'background-color': [COLOUR],
      'font-family': [WORDS],
      'font-size': [SIZE],
      'font-style': [/^(?:normal|italic)$/],
      'font-weight': [/^(?:normal|bold|[1-9]00)$/],
      'line-height': [SIZE],
      'text-align': [/^(?:left|right|center|start|end)$/],
      'text-decoration': [/^(?:none|underline|line-through)$/],
    },
  },
  nestingLimit: NESTING_MAXIMUM,
  // In a mail there is nothing that an address could be relative to.
  exclusiveFilter: ({ tag, attribs }) => tag === 'img' && !/^https:/i.test(attribs['src'] ?? ''),
  transformTags: {
    a: (tagName, { href = '', ...attribs }) => ({
      tagName,
      attribs: /^(?:https?|mailto|tel):/i.test(href) ? { ...attribs, href } : attribs,
    }),
  },
}

export function sanitisedHtml(html: string): string {
  return sanitizeHtml(html, RULES)
}

/** null where nothing that can be seen is left. */
export function sanitisedOrNothing(html: string | null): string | null {
  const clean = sanitisedHtml(html ?? '').trim()
  return textOfHtml(clean) === '' && !clean.includes('<img') ? null : clean
}

/** What a mail program without HTML shows of what `sanitisedHtml` has made. */
export function textOfHtml(html: string): string {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return sanitisedHtml(html)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/<a href="([^"]*)"[^>]*>(.*?)<\/a>/g, linkAsText)
    .replaceAll(/<br[^>]*>|<hr[^>]*>|<\/(?:p|div|li|tr|h[1-4]|blockquote|table)>/g, '\n')
    .replaceAll(/<\/t[dh]>/g, ' ')
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&(amp|lt|gt|quot);/g, (_, name: string) => entities[name] ?? '')
    .replaceAll(/[^\S\n]+/g, ' ')
    .replaceAll(/ ?\n ?/g, '\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim()
}

function linkAsText(_: string, address: string, inside: string): string {
  const shown = inside.replaceAll(/<[^>]*>/g, '').trim()
  const bare = address.replace(/^(?:mailto|tel):/, '')
  return shown === '' || shown === bare || shown === address ? bare : `${inside} (${bare})`
}

export interface Signature {
  readonly signatureHtml: string | null
  readonly footerHtml: string | null
}

/** Both below what is said, in HTML and as plain text; `-- ` is how mail programs know a signature (RFC 3676, 4.3). */
export function signed(content: MailContent, { signatureHtml, footerHtml }: Signature): MailContent {
  const [signature, footer] = [sanitisedOrNothing(signatureHtml), sanitisedOrNothing(footerHtml)]
  const block = (html: string | null, style: string): string =>
    html === null ? '' : `<div dir="auto" style="${escapeHtml(style)}">${html}</div>\n`
  const html =
    block(signature, 'margin-top:24px') +
    block(
      footer,
      'margin-top:16px;padding-top:12px;border-top:1px solid #d9d9d9;font-size:13px;color:#595959',
    )
  const end = content.html.lastIndexOf('</body>')
  const at = end === -1 ? content.html.length : end
  return {
    subject: content.subject,
    html: `${content.html.slice(0, at)}${html}${content.html.slice(at)}`,
    text:
      content.text +
      (signature === null ? '' : `\n-- \n${textOfHtml(signature)}\n`) +
      (footer === null ? '' : `\n${textOfHtml(footer)}\n`),
  }
}
