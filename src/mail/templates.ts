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
  readonly 'second-factor': {
    readonly fullName: string
    readonly change: 'on' | 'off' | 'codes' | 'reset'
  }
  /** Ten wrong codes in a row, each after the right password. */
  readonly 'codes-guessed': { readonly fullName: string }
  readonly 'support-began': {
    readonly fullName: string
    readonly operatorName: string
    readonly companyName: string
    readonly reason: string
    readonly mayChange: boolean
    /** In UTC. */
    readonly until: string
    readonly link: string
  }
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
  'second-factor': ({ fullName, change }) => ({
    subject: {
      on: 'Two-step sign-in was turned on',
      off: 'Two-step sign-in was turned off',
      codes: 'Your recovery codes were renewed',
      reset: 'Two-step sign-in was reset',
    }[change],
    paragraphs: [
      `Hello ${fullName},`,
      {
        on: 'From now on, a code of your authenticator app is asked for when you sign in.',
        off: 'From now on, your password alone is asked for when you sign in.',
        codes: 'There are new recovery codes for your account; the earlier ones are of no use any more.',
        reset:
          'An administrator has turned two-step sign-in off for your account, and all its sessions have ended.',
      }[change],
      'If you did not expect this, tell your administrator at once.',
    ],
  }),
  'codes-guessed': ({ fullName }) => ({
    subject: 'Somebody knows your password',
    paragraphs: [
      `Hello ${fullName},`,
      'Somebody gave your password and ten wrong codes in a row. They are not in, and from now on one code an hour is taken.',
      'If it was not you, set a new password now ("Forgot your password?"): codes are taken as before at once. If it was you, a recovery code lets you in.',
    ],
  }),
  'support-began': ({ fullName, operatorName, companyName, reason, mayChange, until, link }) => ({
    subject: `Support is in the account of ${companyName}`,
    paragraphs: [
      `Hello ${fullName},`,
      `${operatorName} of our support has entered your account, until ${until} UTC at the latest.`,
      mayChange
        ? 'As you consented, they may look and change.'
        : 'They may look at your data and change nothing.',
      `The reason they gave: ${reason}`,
    ],
    button: { label: 'See, or end it', link },
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
  'second-factor': ({ fullName, change }) => ({
    subject: {
      on: 'تم تفعيل الدخول بخطوتين',
      off: 'تم إيقاف الدخول بخطوتين',
      codes: 'تم تجديد رموز الاسترداد',
      reset: 'أُعيد ضبط الدخول بخطوتين',
    }[change],
    paragraphs: [
      `مرحبًا ${fullName}،`,
      {
        on: 'من الآن فصاعدًا يُطلب رمز من تطبيق المصادقة عند تسجيل الدخول.',
        off: 'من الآن فصاعدًا تُطلب كلمة المرور وحدها عند تسجيل الدخول.',
        codes: 'لحسابك رموز استرداد جديدة؛ ولم تعد الرموز السابقة صالحة.',
        reset: 'أوقف أحد المسؤولين الدخول بخطوتين لحسابك، وانتهت جميع جلساته.',
      }[change],
      'إن لم تكن تتوقع ذلك فأخبر المسؤول فورًا.',
    ],
  }),
  'codes-guessed': ({ fullName }) => ({
    subject: 'هناك من يعرف كلمة مرورك',
    paragraphs: [
      `مرحبًا ${fullName}،`,
      'أدخل شخص ما كلمة مرورك ثم عشرة رموز خاطئة متتالية. لم يتمكن من الدخول، ولن يُقبل من الآن سوى رمز واحد كل ساعة.',
      'إن لم تكن أنت فعيّن كلمة مرور جديدة الآن («نسيت كلمة المرور؟»)، فتُقبل الرموز فورًا كما كانت. وإن كنت أنت فادخل برمز استرداد.',
    ],
  }),
  'support-began': ({ fullName, operatorName, companyName, reason, mayChange, until, link }) => ({
    subject: `الدعم الفني داخل حساب ${companyName}`,
    paragraphs: [
      `مرحبًا ${fullName}،`,
      `دخل ${operatorName} من فريق الدعم إلى حسابكم، حتى ${until} بالتوقيت العالمي على الأكثر.`,
      mayChange ? 'بموافقتكم يمكنه الاطلاع والتعديل.' : 'يمكنه الاطلاع على بياناتكم دون تعديل أي شيء.',
      `السبب المذكور: ${reason}`,
    ],
    button: { label: 'العرض أو الإنهاء', link },
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
