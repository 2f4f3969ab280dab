import type { englishAccount } from './en-account.ts'

type Account = (typeof englishAccount)['account']

/** Arabic has more plurals than English. */
type Plurals = Record<`codesLeft_${'zero' | 'two' | 'few' | 'many'}`, string>

export const arabicAccount: {
  account: Account & Plurals
} = {
  account: {
    title: 'حسابي',
    code: 'الرمز',
    codeHint: 'الأرقام الستة التي يعرضها تطبيق المصادقة',
    codeOrRecoveryHint: 'الأرقام الستة من تطبيق المصادقة، أو أحد رموز الاسترداد',
    otherAccount: 'استخدام حساب آخر',
    forgot: 'هل نسيت كلمة المرور؟',
    forgotHint: 'ستصلك رسالة فيها رابط تختار به كلمة مرور جديدة.',
    sendLink: 'إرسال الرابط',
    linkSent: 'إن كان هناك حساب بهذا العنوان فالرسالة في طريقها إليه',
    currentPassword: 'كلمة المرور الحالية',
    changePassword: 'تغيير كلمة المرور',
    passwordChanged: 'تم تغيير كلمة المرور. سجّل الدخول بالجديدة.',
    passwordExpired: 'كلمة مرورك قديمة جدًا أو اختارها شخص آخر: اختر كلمة جديدة للمتابعة.',
    twoStep: 'الدخول بخطوتين',
    twoStepHint:
      'يُطلب مع كلمة المرور رمز من تطبيق المصادقة على هاتفك: فكلمة المرور المسروقة وحدها لا تُدخل أحدًا.',
    required: 'حسابك يتطلب ذلك.',
    mustSetUp: 'يتطلب حسابك الدخول بخطوتين. اضبطه بتطبيق مصادقة على هاتفك للمتابعة.',
    on: 'مفعّل',
    off: 'غير مفعّل',
    setUp: 'إعداد الدخول بخطوتين',
    turnOn: 'تفعيل',
    turnOff: 'إيقاف الدخول بخطوتين',
    turnOffConsequence: 'بعد ذلك تكفي كلمة المرور وحدها للدخول، وتُلغى رموز الاسترداد.',
    turnOffRequired: 'حسابك يتطلب ذلك: لن تتمكن من شيء آخر قبل إعداده من جديد.',
    turnedOff: 'أُوقف الدخول بخطوتين',
    scan: 'امسح هذه الصورة بتطبيق المصادقة، ثم اكتب الرمز الذي يعرضه.',
    qrCode: 'رمز QR لتطبيق المصادقة',
    typeSecret: 'أو اكتب هذا المفتاح:',
    codesLeft_zero: 'لم يبق أي رمز استرداد.',
    codesLeft_one: 'بقي رمز استرداد واحد.',
    codesLeft_two: 'بقي رمزا استرداد.',
    codesLeft_few: 'بقيت {{count}} رموز استرداد.',
    codesLeft_many: 'بقي {{count}} رمز استرداد.',
    codesLeft_other: 'بقي {{count}} رمز استرداد.',
    renewCodes: 'رموز استرداد جديدة',
    renewConsequence: 'تُلغى الرموز السابقة عندئذ.',
    recoveryCodes: 'رموز الاسترداد',
    recoveryTitle: 'احتفظ برموز الاسترداد هذه',
    recoveryHint:
      'كل رمز يُدخلك مرة واحدة حين لا يكون هاتفك معك. لا تُعرض إلا هذه المرة؛ احفظها حيث لا يصل إليها سواك.',
    copy: 'نسخ',
    copied: 'تم النسخ',
    download: 'تنزيل',
    kept: 'لقد حفظتها',
    sessions: 'الأجهزة المسجّل دخولك عليها',
    device: 'الجهاز',
    unknownDevice: 'غير معروف',
    thisDevice: 'هذا الجهاز',
    address: 'العنوان',
    startedAt: 'وقت الدخول',
    lastUsedAt: 'آخر تجديد',
    endSession: 'تسجيل الخروج',
    endSessionOf: 'تسجيل الخروج من {{device}}',
    endOthers: 'الخروج من كل الأجهزة الأخرى',
    endOthersQuestion: 'هل تريد تسجيل الخروج من كل مكان عدا هذا؟',
    ended: 'تم تسجيل الخروج هناك',
  },
}
