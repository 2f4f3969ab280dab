import type { ReactNode } from 'react'
import { Card } from 'antd'
import { Logo, productName } from './Brand.tsx'
import { LanguageControl, ThemeControl } from './LookControls.tsx'
import { PageTitle } from './PageHeader.tsx'

/** The one sign-in look, for operators and tenants alike. */
export function SignInFrame({
  title,
  subtitle,
  children,
}: {
  title: string
  subtitle: string
  children: ReactNode
}) {
  return (
    <div className="sign-in">
      <PageTitle title={title} />
      <div className="sign-in-tools">
        <LanguageControl />
        <ThemeControl />
      </div>
      <main className="sign-in-panel">
        <div className="brand">
          <Logo size={40} />
          <div>
            <strong>{productName}</strong>
            <span>{subtitle}</span>
          </div>
        </div>
        <Card>
          <h1 style={{ fontSize: 18, marginBlock: '0 20px' }}>{title}</h1>
          {children}
        </Card>
      </main>
    </div>
  )
}
