import { Button, Divider, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Restriction } from '../model.ts'
import { SignInFrame } from '../SignInFrame.tsx'
import { ChangePasswordForm } from './ChangePasswordForm.tsx'
import { Enrolment } from './Enrolment.tsx'
import type { AccountSide } from './sides.ts'

interface RestrictedSessionProps {
  side: AccountSide
  restriction: Restriction
  onSignOut: () => void
}

/** In place of everything else, until it is mended: the server allows nothing else either. */
export function RestrictedSession({ side, restriction, onSignOut }: RestrictedSessionProps) {
  const { t } = useTranslation()
  const isPassword = restriction === 'password-expired'
  return (
    <SignInFrame
      title={isPassword ? t('account.changePassword') : t('account.setUp')}
      subtitle={side.name === 'erp' ? t('signIn.erpSubtitle') : t('signIn.operatorSubtitle')}
    >
      <Typography.Paragraph type="secondary">
        {isPassword ? t('account.passwordExpired') : t('account.mustSetUp')}
      </Typography.Paragraph>
      {isPassword ? (
        <ChangePasswordForm side={side} />
      ) : (
        <Enrolment side={side} onDone={() => void side.me()} />
      )}
      <Divider />
      <Button type="link" onClick={onSignOut}>
        {t('signIn.signOut')}
      </Button>
    </SignInFrame>
  )
}
