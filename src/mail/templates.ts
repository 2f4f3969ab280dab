/**
 * What the product writes to people, in English and Arabic, as HTML and as plain text made from the same
 * parts. Values are text: what looks like HTML in a name stays text.
 */
import { headerText, type MailContent } from './message.ts'

export type Language = 'en' | 'ar'

export interface TemplateValues {
  readonly welcome: {
    readonly fullName: string
    readonly companyName: string
    readonly address: string
    /** null: the password was chosen at sign-up. */
    readonly link: string | null
    readonly hours: number
  }
  readonly invitation: {
    readonly fullName: string
    readonly inviterName: string
    readonly companyName: string
    readonly link: string
    readonly hours: number
  }
  readonly 'reset-password': {
    readonly fullName: string
    readonly link: string
    readonly minutes: number
  }
  readonly 'password-changed': { readonly fullName: string }
  readonly test: { readonly fullName: string }
}

export type TemplateName = keyof TemplateValues

interface Parts {
  readonly subject: string
  readonly paragraphs: readonly string[]
  readonly button?: { readonly label: string; readonly link: string }
  readonly after?: readonly string[]
}

type Write = { readonly [Name in TemplateName]: (values: TemplateValues[Name]) => Parts }

const english: Write = {
  welcome: ({ fullName, companyName, address, link, hours }) => ({
    subject: `${companyName} is ready`,
    paragraphs: [`Hello ${fullName},`, `The account of ${companyName} has been set up: ${address}`],
    ...(link === null
      ? { button: { label: 'Sign in', link: address } }
      : {
          button: { label: 'Choose a password', link },
          after: [`The link works once, for ${hours} hours.`],
        }),
  }),
  invitation: ({ fullName, inviterName, companyName, link, hours }) => ({
    subject: `You have been invited to ${companyName}`,
    paragraphs: [`Hello ${fullName},`, `${inviterName} has invited you to work in ${companyName}.`],
    button: { label: 'Choose a password', link },
    after: [`The link works once, for ${hours} hours.`],
  }),
  'reset-password': ({ fullName, link, minutes }) => ({
    subject: 'Set a new password',
    paragraphs: [`Hello ${fullName},`, 'Somebody, you we hope, asked for a new password for your account.'],
    button: { label: 'Set a new password', link },
    after: [
      `The link works once, for ${minutes} minutes.`,
      'If it was not you, there is nothing to do: your password stays as it is.',
    ],
  }),
  'password-changed': ({ fullName }) => ({
    subject: 'Your password was changed',
    paragraphs: [
      `Hello ${fullName},`,
      'The password of your account was changed, and all its sessions have ended.',
      'If it was not you, tell your administrator at once.',
    ],
  }),
  test: ({ fullName }) => ({
    subject: 'Test of your mail settings',
    paragraphs: [`Hello ${fullName},`, 'This came through your own mail settings: they work.'],
  }),
}

const arabic: Write = {
  welcome: ({ fullName, companyName, address, link, hours }) => ({
    subject: `${companyName}: حسابكم جاهز`,
    paragraphs: [`مرحبًا ${fullName}،`, `تم إعداد حساب ${companyName}: ${address}`],
    ...(link === null
      ? { button: { label: 'تسجيل الدخول', link: address } }
      : {
          button: { label: 'اختيار كلمة المرور', link },
          after: [`يعمل الرابط مرة واحدة، لمدة ${hours} ساعة.`],
        }),
  }),
  invitation: ({ fullName, inviterName, companyName, link, hours }) => ({
    subject: `دعوة إلى ${companyName}`,
    paragraphs: [`مرحبًا ${fullName}،`, `دعاك ${inviterName} إلى العمل في ${companyName}.`],
    button: { label: 'اختيار كلمة المرور', link },
    after: [`يعمل الرابط مرة واحدة، لمدة ${hours} ساعة.`],
  }),
  'reset-password': ({ fullName, link, minutes }) => ({
    subject: 'تعيين كلمة مرور جديدة',
    paragraphs: [`مرحبًا ${fullName}،`, 'طُلبت كلمة مرور جديدة لحسابك.'],
    button: { label: 'تعيين كلمة مرور جديدة', link },
    after: [
      `يعمل الرابط مرة واحدة، لمدة ${minutes} دقيقة.`,
      'إن لم تكن أنت من طلبها فلا حاجة إلى أي إجراء: تبقى كلمة مرورك كما هي.',
    ],
  }),
  'password-changed': ({ fullName }) => ({
    subject: 'تم تغيير كلمة مرورك',
    paragraphs: [
      `مرحبًا ${fullName}،`,
      'تم تغيير كلمة مرور حسابك، وانتهت جميع جلساته.',
      'إن لم تكن أنت من غيّرها فأخبر المسؤول فورًا.',
    ],
  }),
  test: ({ fullName }) => ({
    subject: 'اختبار إعدادات بريدك',
    paragraphs: [`مرحبًا ${fullName}،`, 'وصلت هذه الرسالة عبر إعدادات بريدك: إنها تعمل.'],
  }),
}

const languages: Readonly<Record<Language, Write>> = { en: english, ar: arabic }

/** Countries whose first mail, before anybody could choose, is in Arabic (members of the Arab League). */
const ARABIC_SPEAKING = new Set(
  'AE BH DJ DZ EG IQ JO KM KW LB LY MA MR OM PS QA SA SD SO SY TN YE'.split(' '),
)

export function languageOfCountry(country: string): Language {
  return ARABIC_SPEAKING.has(country) ? 'ar' : 'en'
}

export function render<Name extends TemplateName>(
  template: Name,
  language: Language,
  values: TemplateValues[Name],
): MailContent {
  const parts = languages[language][template](values)
  const subject = headerText(parts.subject, 'subject')
  return { subject, html: htmlOf(parts, language), text: textOf(parts) }
}

function textOf({ paragraphs, button, after = [] }: Parts): string {
  const link = button ? [`${button.label}:\n${webLink(button.link)}`] : []
  return `${[...paragraphs, ...link, ...after].join('\n\n')}\n`
}

/** Mail programs know styles on elements only. */
function htmlOf({ subject, paragraphs, button, after = [] }: Parts, language: Language): string {
  const direction = language === 'ar' ? 'rtl' : 'ltr'
  const paragraph = (text: string): string => `<p style="margin:0 0 16px">${escapeHtml(text)}</p>`
  const action = button
    ? `<p style="margin:24px 0"><a href="${escapeHtml(webLink(button.link))}" style="background:#1677ff;color:#fff;padding:10px 20px;border-radius:6px;text-decoration:none">${escapeHtml(button.label)}</a></p>`
    : ''
  return `<!doctype html>
<html lang="${language}" dir="${direction}"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>
<body dir="${direction}" style="font:16px/1.5 Segoe UI,Tahoma,Arial,sans-serif;color:#1f1f1f;max-width:560px;margin:0 auto;padding:24px">
${paragraphs.map(paragraph).join('\n')}
${action}
${after.map(paragraph).join('\n')}
</body></html>`
}

/** A programmer's error, if anything: links are made by the product. */
function webLink(link: string): string {
  if (/^https?:$/.test(new URL(link).protocol)) return link
  throw new RangeError('A link in a mail leads to the web')
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
}
