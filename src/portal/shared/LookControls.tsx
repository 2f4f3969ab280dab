import { BulbOutlined, DesktopOutlined, GlobalOutlined, MoonOutlined, SunOutlined } from '@ant-design/icons'
import { Button, Dropdown } from 'antd'
import { useTranslation } from 'react-i18next'
import { preferences, usePreferences, type Look } from './preferences.ts'

/** Language and light/dark, on every screen including the sign-in. */
export function LanguageControl() {
  const { t } = useTranslation()
  const chosen = usePreferences()
  const other = chosen.language === 'ar' ? 'en' : 'ar'
  return (
    <Button
      type="text"
      icon={<GlobalOutlined />}
      aria-label={t('look.switchLanguage')}
      lang={other}
      onClick={() => preferences.set({ ...chosen, language: other })}
    >
      {other === 'ar' ? 'العربية' : 'English'}
    </Button>
  )
}

export function ThemeControl() {
  const { t } = useTranslation()
  const chosen = usePreferences()
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        selectable: true,
        selectedKeys: [chosen.look],
        onClick: ({ key }) => preferences.set({ ...chosen, look: key as Look }),
        items: [
          { key: 'system', icon: <DesktopOutlined />, label: t('look.system') },
          { key: 'light', icon: <SunOutlined />, label: t('look.light') },
          { key: 'dark', icon: <MoonOutlined />, label: t('look.dark') },
        ],
      }}
    >
      <Button type="text" icon={<BulbOutlined />} aria-label={t('look.title')} />
    </Dropdown>
  )
}
