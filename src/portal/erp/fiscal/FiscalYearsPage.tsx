import { useState } from 'react'
import { LockOutlined, PlusOutlined, UnlockOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { App, Button, Card, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { FiscalYear, Period } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { EmptyState, QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan } from '../useCompany.ts'
import { NewFiscalYearDialog } from './NewFiscalYearDialog.tsx'
import { fiscalYearsQuery, useClosePeriod } from './queries.ts'
import { ReopenDialog } from './ReopenDialog.tsx'

export function FiscalYearsPage() {
  const { t } = useTranslation()
  const can = useCan()
  const years = useQuery(fiscalYearsQuery)
  const [isCreating, setIsCreating] = useState(false)
  const [reopening, setReopening] = useState<Period | null>(null)
  const createButton = can('fiscal-years:add') && (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setIsCreating(true)}>
      {t('fiscal.create')}
    </Button>
  )
  return (
    <>
      <PageHeader title={t('menu.fiscalYears')} actions={createButton} />
      {!years.isSuccess && <QueryState query={years} />}
      {years.data?.fiscalYears.length === 0 && (
        <Card>
          <EmptyState text={t('fiscal.empty')} action={createButton} />
        </Card>
      )}
      {years.data?.fiscalYears.map((year) => (
        <FiscalYearCard key={year.id} year={year} onReopen={setReopening} />
      ))}
      {isCreating && (
        <NewFiscalYearDialog years={years.data?.fiscalYears ?? []} onClose={() => setIsCreating(false)} />
      )}
      {reopening && <ReopenDialog period={reopening} onClose={() => setReopening(null)} />}
    </>
  )
}

function FiscalYearCard({ year, onReopen }: { year: FiscalYear; onReopen: (period: Period) => void }) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      card={{
        title: (
          <>
            {year.name} <PeriodStatusTag status={year.status} />
          </>
        ),
        extra: `${formats.date(year.startDate)} – ${formats.date(year.endDate)}`,
        style: { marginBlockEnd: 16 },
      }}
      size="small"
      dataSource={year.periods}
      columns={[
        { title: t('fiscal.period'), dataIndex: 'name' },
        { title: t('fields.from'), render: (_, period) => formats.date(period.startDate) },
        { title: t('fields.to'), render: (_, period) => formats.date(period.endDate) },
        { title: t('fields.status'), render: (_, period) => <PeriodStatusTag status={period.status} /> },
        { title: t('fields.reason'), dataIndex: 'statusReason' },
        {
          key: 'actions',
          align: 'end',
          render: (_, period) => <PeriodAction period={period} onReopen={onReopen} />,
        },
      ]}
    />
  )
}

function PeriodStatusTag({ status }: { status: Period['status'] }) {
  const { t } = useTranslation()
  return <Tag color={status === 'open' ? 'success' : 'default'}>{t(`periodStatus.${status}`)}</Tag>
}

function PeriodAction({ period, onReopen }: { period: Period; onReopen: (period: Period) => void }) {
  const { t } = useTranslation()
  const can = useCan()
  const { modal } = App.useApp()
  const tellProblem = useTellProblem()
  const close = useClosePeriod()
  if (!can('fiscal-years:close-period')) return null
  if (period.status === 'closed') {
    return (
      <Button
        size="small"
        icon={<UnlockOutlined />}
        aria-label={t('fiscal.reopenPeriod', { name: period.name })}
        onClick={() => onReopen(period)}
      >
        {t('fiscal.reopen')}
      </Button>
    )
  }
  const askToClose = () =>
    modal.confirm({
      title: t('fiscal.closePeriod', { name: period.name }),
      content: t('fiscal.closeConsequence'),
      okText: t('fiscal.close'),
      onOk: () => close.mutateAsync(period.id).catch(tellProblem),
    })
  return (
    <Button
      size="small"
      icon={<LockOutlined />}
      aria-label={t('fiscal.closePeriod', { name: period.name })}
      onClick={askToClose}
    >
      {t('fiscal.close')}
    </Button>
  )
}
