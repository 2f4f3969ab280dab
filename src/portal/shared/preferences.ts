import { useEffect, useState } from 'react'
import { stored, useStored } from './stored.ts'

export type Language = 'en' | 'ar'
export type Look = 'system' | 'light' | 'dark'

interface Preferences {
  language: Language
  look: Look
}

const browserLanguage: Language = navigator.language.toLowerCase().startsWith('ar') ? 'ar' : 'en'

export const preferences = stored<Preferences>(
  'solution-erp.preferences',
  { language: browserLanguage, look: 'system' },
  (value) => typeof value === 'object' && value !== null && 'language' in value && 'look' in value,
)

export function usePreferences(): Preferences {
  return useStored(preferences)
}

export function useIsDark(): boolean {
  const { look } = usePreferences()
  const systemIsDark = useSystemIsDark()
  return look === 'system' ? systemIsDark : look === 'dark'
}

function useSystemIsDark(): boolean {
  const [isDark, setIsDark] = useState(() => window.matchMedia('(prefers-color-scheme: dark)').matches)
  useEffect(() => {
    const query = window.matchMedia('(prefers-color-scheme: dark)')
    const follow = () => setIsDark(query.matches)
    query.addEventListener('change', follow)
    return () => query.removeEventListener('change', follow)
  }, [])
  return isDark
}
