import type { ReactNode } from 'react'
import { CheckCircleFilled, WarningFilled } from '@ant-design/icons'
import { Button, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { useFormats } from '../../shared/formats.ts'
import type { Offer, Totals } from './lines.ts'

interface BalanceBarProps {
  totals: Totals
  minorUnits: number
  offer: Offer | null
  onTakeOffer: () => void
  children: ReactNode
}

export function BalanceBar({ totals, minorUnits, offer, onTakeOffer, children }: BalanceBarProps) {
  const { t } = useTranslation()
  return (
    <div className="balance">
      <dl>
        <div>
          <dt>{t('journals.totalDebit')}</dt>
          <dd className="numeric">
            <Amount value={totals.debit.toFixed(minorUnits)} showZero />
          </dd>
        </div>
        <div>
          <dt>{t('journals.totalCredit')}</dt>
          <dd className="numeric">
            <Amount value={totals.credit.toFixed(minorUnits)} showZero />
          </dd>
        </div>
      </dl>
      <BalanceState totals={totals} minorUnits={minorUnits} />
      {offer && (
        <Button size="small" onClick={onTakeOffer}>
          {t(offer.column === 'debit' ? 'journals.takeDebit' : 'journals.takeCredit', {
            amount: offer.amount,
          })}
        </Button>
      )}
      <div className="balance-actions">{children}</div>
    </div>
  )
}

function BalanceState({ totals, minorUnits }: { totals: Totals; minorUnits: number }) {
  const { t } = useTranslation()
  const formats = useFormats()
  if (totals.debit.isZero() && totals.credit.isZero()) return null
  return (
    <span role="status">
      {totals.difference.isZero() ? (
        <Tag color="success" icon={<CheckCircleFilled />}>
          {t('journals.balanced')}
        </Tag>
      ) : (
        <Tag color="error" icon={<WarningFilled />}>
          {t('journals.outBy', { amount: formats.amount(totals.difference.absolute().toFixed(minorUnits)) })}
        </Tag>
      )}
    </span>
  )
}
