import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { english, type Texts } from './locales/en.ts'
import { preferences, type Language } from './preferences.ts'

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: Texts }
  }
}

/** English is part of the first load as the fallback; Arabic is fetched when it is wanted. */
export async function startTranslations(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: english } },
    interpolation: { escapeValue: false }, // React escapes
  })
  await switchTo(preferences.get().language)
  preferences.subscribe(() => void switchTo(preferences.get().language))
}

async function switchTo(language: Language): Promise<void> {
  if (language === i18next.language) return
  if (language === 'ar' && !i18next.hasResourceBundle('ar', 'translation')) {
    const { arabic } = await import('./locales/ar.ts')
    i18next.addResourceBundle('ar', 'translation', arabic)
  }
  await i18next.changeLanguage(language)
}
