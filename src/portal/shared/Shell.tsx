import type { ReactNode } from 'react'
import { LogoutOutlined, SafetyOutlined, UserOutlined } from '@ant-design/icons'
import { ProLayout } from '@ant-design/pro-components'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { Dropdown } from 'antd'
import { useTranslation } from 'react-i18next'
import { Logo, productName } from './Brand.tsx'
import { LanguageControl, ThemeControl } from './LookControls.tsx'
import { useIsDark } from './preferences.ts'

export interface MenuEntry {
  path: string
  name: string
  icon?: ReactNode
  routes?: MenuEntry[]
}

interface ShellProps {
  home: string
  menu: MenuEntry[]
  personName: string
  /** Where people look after what is their own. */
  ownPage?: string
  /** Whose books these are; beside the product's name. */
  context?: ReactNode
  /** Where whoever is signed in keeps their own account. */
  accountPath: string
  /** Above every page, and not to be missed. */
  banner?: ReactNode
  onSignOut: () => void
}

export function Shell({
  home,
  menu,
  personName,
  ownPage,
  context,
  accountPath,
  banner,
  onSignOut,
}: ShellProps) {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  const isDark = useIsDark()
  return (
    <ProLayout
      layout="mix"
      fixSiderbar
      fixedHeader
      siderWidth={232}
      navTheme={isDark ? 'realDark' : 'light'}
      locale="en-US"
      title={productName}
      logo={<Logo />}
      pageTitleRender={false}
      route={{ path: '/', routes: menu.map(withSilentIcon) }}
      location={{ pathname }}
      menu={{ type: 'group' }}
      menuItemRender={(item, dom) => <Link to={item.path ?? home}>{dom}</Link>}
      // The product's name is no heading of ProLayout's: each page has one, its own.
      headerTitleRender={(logo) => (
        <Link to={home} aria-label={productName} className="shell-title">
          {logo}
          <span>{productName}</span>
        </Link>
      )}
      headerContentRender={() => context}
      actionsRender={() => [<LanguageControl key="language" />, <ThemeControl key="theme" />]}
      avatarProps={{
        icon: <UserOutlined />,
        size: 'small',
        title: personName,
        render: (_props, dom) => (
          <Dropdown
            trigger={['click']}
            menu={{
              items: [
                ...(ownPage === undefined
                  ? []
                  : [
                      {
                        key: 'own-page',
                        icon: <UserOutlined />,
                        label: <Link to={ownPage}>{t('signIn.ownPage')}</Link>,
                      },
                    ]),
                {
                  key: 'account',
                  icon: <SafetyOutlined />,
                  label: <Link to={accountPath}>{t('account.title')}</Link>,
                },
                {
                  key: 'sign-out',
                  icon: <LogoutOutlined />,
                  label: t('signIn.signOut'),
                  onClick: onSignOut,
                },
              ],
            }}
          >
            <div role="button" tabIndex={0} aria-label={t('signIn.account', { name: personName })}>
              {dom}
            </div>
          </Dropdown>
        ),
      }}
    >
      {banner}
      <Outlet />
    </ProLayout>
  )
}

/** Antd's icons name themselves, so that "Home" would be read as "home Home". */
function withSilentIcon(entry: MenuEntry): MenuEntry {
  return { ...entry, icon: entry.icon && <span aria-hidden="true">{entry.icon}</span> }
}
