import { useEffect, useLayoutEffect, useState, type ReactNode } from 'react'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { App, ConfigProvider, theme } from 'antd'
import english from 'antd/locale/en_US'
import { useTranslation } from 'react-i18next'
import { problemOf } from './problem.ts'
import { useIsDark } from './preferences.ts'
import { erpSession, operatorSession } from './session.ts'

type AntdLocale = typeof english

// Said outright because antd's own shades of a deep green come out grey.
const lightColours = {
  colorPrimary: '#0f6e66',
  colorInfo: '#0f6e66',
  colorLink: '#0f6e66',
  colorPrimaryBg: '#e3f3f0',
  colorPrimaryBgHover: '#cfe9e4',
  colorPrimaryBorder: '#9fd0c8',
  colorPrimaryHover: '#15857b',
  colorInfoBg: '#e3f3f0',
  colorInfoBorder: '#9fd0c8',
  controlOutline: 'rgba(15, 110, 102, 0.16)',
}
const darkColours = { colorPrimary: '#2a9d8f', colorInfo: '#2a9d8f', colorLink: '#5cc4b6' }

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // What the server refused it will refuse again; only outages are worth another try.
      retry: (failures, thrown) => {
        const { status } = problemOf(thrown)
        return failures < 2 && (status === 0 || status >= 500)
      },
    },
    mutations: { retry: false },
  },
})

/**
 * What one person saw in one company is gone before another's page is drawn, in whatever tab they signed in, signed
 * out or changed over.
 */
function forgetBehind(store: typeof erpSession | typeof operatorSession): void {
  const whose = () => {
    const person = store.get().session?.person
    return person && `${person.id} ${'companyId' in person ? person.companyId : ''}`
  }
  let known = whose()
  store.subscribe(() => {
    if (whose() === known) return
    known = whose()
    queryClient.clear()
  })
}
forgetBehind(erpSession)
forgetBehind(operatorSession)

export function AppProviders({ children }: { children: ReactNode }) {
  const { i18n } = useTranslation()
  const isDark = useIsDark()
  const isArabic = i18n.language === 'ar'
  const locale = useAntdLocale(isArabic)
  return (
    <QueryClientProvider client={queryClient}>
      <ConfigProvider
        locale={locale}
        direction={isArabic ? 'rtl' : 'ltr'}
        theme={{
          algorithm: isDark ? theme.darkAlgorithm : theme.defaultAlgorithm,
          token: {
            ...(isDark ? darkColours : lightColours),
            borderRadius: 6,
            fontFamily:
              "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans Arabic', sans-serif",
          },
        }}
      >
        <DocumentLook isDark={isDark} language={i18n.language} isArabic={isArabic} />
        <App>{children}</App>
      </ConfigProvider>
    </QueryClientProvider>
  )
}

/** Antd's own words (pagination, empty tables, …); the Arabic ones are fetched when wanted. */
function useAntdLocale(isArabic: boolean): AntdLocale {
  const [arabic, setArabic] = useState<AntdLocale | null>(null)
  useEffect(() => {
    if (isArabic) void import('antd/locale/ar_EG').then((module) => setArabic(module.default))
  }, [isArabic])
  return isArabic && arabic ? arabic : english
}

/** Hands the theme's colours to our own style sheet, and language and direction to the document. */
function DocumentLook({
  isDark,
  language,
  isArabic,
}: {
  isDark: boolean
  language: string
  isArabic: boolean
}) {
  const { token } = theme.useToken()
  useLayoutEffect(() => {
    const root = document.documentElement
    root.lang = language
    root.dir = isArabic ? 'rtl' : 'ltr'
    root.style.colorScheme = isDark ? 'dark' : 'light'
    const colours = {
      '--text': token.colorText,
      '--text-secondary': token.colorTextSecondary,
      '--text-placeholder': token.colorTextPlaceholder,
      '--border': token.colorBorderSecondary,
      '--surface': token.colorBgContainer,
      '--surface-raised': token.colorBgElevated,
      '--surface-sunken': token.colorBgLayout,
      '--fill': token.colorFillTertiary,
      '--primary': token.colorPrimary,
      '--primary-fill': token.colorPrimaryBg,
      '--error': token.colorError,
      '--error-fill': token.colorErrorBg,
      '--shadow': token.boxShadowSecondary,
      '--font': token.fontFamily,
    }
    for (const [name, value] of Object.entries(colours)) root.style.setProperty(name, value)
  }, [token, isDark, language, isArabic])
  return null
}
