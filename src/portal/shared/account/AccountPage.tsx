import { Card, Flex } from 'antd'
import { useTranslation } from 'react-i18next'
import { PageHeader } from '../PageHeader.tsx'
import { ChangePasswordForm } from './ChangePasswordForm.tsx'
import { SessionsCard } from './SessionsCard.tsx'
import { erpAccount, operatorAccount, type AccountSide } from './sides.ts'
import { TwoStepCard } from './TwoStepCard.tsx'

function AccountPage({ side }: { side: AccountSide }) {
  const { t } = useTranslation()
  return (
    <>
      <PageHeader title={t('account.title')} />
      <div className="account-cards">
        <Flex vertical gap={16}>
          <TwoStepCard side={side} />
          <SessionsCard side={side} />
        </Flex>
        <Card title={t('account.changePassword')}>
          <ChangePasswordForm side={side} />
        </Card>
      </div>
    </>
  )
}

export function ErpAccountPage() {
  return <AccountPage side={erpAccount} />
}

export function OperatorAccountPage() {
  return <AccountPage side={operatorAccount} />
}
