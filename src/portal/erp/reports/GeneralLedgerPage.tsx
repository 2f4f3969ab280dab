import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Button, Card, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { changedSearch } from '../../shared/changedSearch.ts'
import { DateInput } from '../../shared/DateInput.tsx'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { GeneralLedger } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { EmptyState, QueryState } from '../../shared/states.tsx'
import { AccountTypeTag } from '../accounts/AccountTypeTag.tsx'
import { useAccountName, useAccounts } from '../accounts/queries.ts'
import { debitAndCreditColumns } from '../debitAndCredit.tsx'
import { generalLedgerQuery, type LedgerFilter } from './queries.ts'

const route = getRouteApi('/_erp/reports/general-ledger')

export function GeneralLedgerPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const nameOf = useAccountName()
  const filter: LedgerFilter = { ...search, accountId: search.accountId ?? '' }
  const ledger = useInfiniteQuery(generalLedgerQuery(filter))
  const account = ledger.data?.pages[0]?.account
  return (
    <>
      <PageHeader
        title={account ? `${account.code} ${nameOf(account.id, account.name)}` : t('menu.generalLedger')}
        tag={account && <AccountTypeTag type={account.type} />}
      />
      <LedgerFilters filter={filter} />
      {filter.accountId === '' && (
        <Card>
          <EmptyState text={t('reports.chooseAccount')} />
        </Card>
      )}
      {filter.accountId !== '' && !ledger.isSuccess && <QueryState query={ledger} />}
      {ledger.isSuccess && (
        <LedgerTable
          pages={ledger.data.pages}
          onMore={ledger.hasNextPage ? () => void ledger.fetchNextPage() : null}
          isFetchingMore={ledger.isFetchingNextPage}
        />
      )}
    </>
  )
}

function LedgerFilters({ filter }: { filter: LedgerFilter }) {
  const { t } = useTranslation()
  const navigate = route.useNavigate()
  const { accounts, isPending } = useAccounts()
  const change = (changed: Partial<LedgerFilter>) =>
    void navigate({ search: changedSearch(filter, changed), replace: true })
  return (
    <div className="toolbar">
      <Labelled label={t('journals.account')}>
        <Select
          aria-label={t('journals.account')}
          style={{ width: 320 }}
          showSearch={{ optionFilterProp: 'label' }}
          loading={isPending}
          placeholder={t('reports.chooseAccount')}
          value={filter.accountId || null}
          options={accounts.map(({ id, code, name }) => ({ value: id, label: `${code} ${name}` }))}
          onChange={(accountId) => change({ accountId })}
        />
      </Labelled>
      <Labelled label={t('fields.from')}>
        <DateInput value={filter.from ?? ''} onChange={(from) => change({ from })} style={{ width: 160 }} />
      </Labelled>
      <Labelled label={t('fields.to')}>
        <DateInput value={filter.to ?? ''} onChange={(to) => change({ to })} style={{ width: 160 }} />
      </Labelled>
    </div>
  )
}

interface LedgerTableProps {
  pages: GeneralLedger[]
  onMore: (() => void) | null
  isFetchingMore: boolean
}

function LedgerTable({ pages, onMore, isFetchingMore }: LedgerTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const [first] = pages
  if (!first) return null
  return (
    <ListTable
      rowKey="lineId"
      dataSource={pages.flatMap((page) => page.lines)}
      empty={t('reports.noLines')}
      title={() => <BalanceLine label={t('reports.openingBalance')} balance={first.openingBalance} />}
      footer={() => (
        <>
          {onMore && (
            <Button onClick={onMore} loading={isFetchingMore}>
              {t('actions.more')}
            </Button>
          )}
          <BalanceLine label={t('reports.closingBalance')} balance={first.closingBalance} />
        </>
      )}
      columns={[
        { title: t('fields.date'), width: 130, render: (_, line) => formats.date(line.date) },
        {
          title: t('journals.number'),
          width: 160,
          render: (_, line) => (
            <Link to="/journal-entries/$entryId" params={{ entryId: line.entryId }} className="ltr">
              {line.entryNumber}
            </Link>
          ),
        },
        { title: t('fields.description'), dataIndex: 'description' },
        ...debitAndCreditColumns<GeneralLedger['lines'][number]>(t, 150),
        {
          title: t('reports.balance'),
          ...numeric,
          width: 160,
          render: (_, line) => <Balance value={line.balance} />,
        },
      ]}
    />
  )
}

function BalanceLine({ label, balance }: { label: string; balance: string }) {
  return (
    <div style={{ display: 'flex', justifyContent: 'space-between', fontWeight: 600 }}>
      <span>{label}</span>
      <span className="numeric">
        <Balance value={balance} />
      </span>
    </div>
  )
}

/** The server's sign is debit positive; accountants read the side. */
function Balance({ value }: { value: string }) {
  const { t } = useTranslation()
  const isCredit = value.startsWith('-')
  return (
    <>
      <Amount value={isCredit ? value.slice(1) : value} showZero />{' '}
      <small style={{ color: 'var(--text-secondary)' }}>{isCredit ? t('reports.cr') : t('reports.dr')}</small>
    </>
  )
}
