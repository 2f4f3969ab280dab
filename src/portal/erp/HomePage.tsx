import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button, Card, Space } from 'antd'
import { useTranslation } from 'react-i18next'
import { PageHeader } from '../shared/PageHeader.tsx'
import { EmptyState, QueryState } from '../shared/states.tsx'
import { JournalTable } from './journals/JournalTable.tsx'
import { journalEntriesQuery } from './journals/queries.ts'
import { useCompany } from './useCompany.ts'

const RECENT_ENTRIES = 8

export function HomePage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const company = useCompany()
  const recent = useQuery(journalEntriesQuery({}, RECENT_ENTRIES))
  const card = { title: t('home.recent'), extra: <Link to="/journal-entries">{t('home.all')}</Link> }
  return (
    <>
      <PageHeader
        title={company?.name ?? t('menu.home')}
        actions={
          <Space wrap>
            <Button onClick={() => void navigate({ to: '/reports/trial-balance' })}>
              {t('menu.trialBalance')}
            </Button>
            <Button type="primary" onClick={() => void navigate({ to: '/journal-entries/new' })}>
              {t('journals.create')}
            </Button>
          </Space>
        }
      />
      {!recent.isSuccess ? (
        <QueryState query={recent} />
      ) : recent.data.journalEntries.length > 0 ? (
        <JournalTable card={card} dataSource={recent.data.journalEntries} />
      ) : (
        <Card {...card} styles={{ body: { padding: 32 } }}>
          <EmptyState
            text={t('journals.empty')}
            action={
              <Button type="primary" onClick={() => void navigate({ to: '/journal-entries/new' })}>
                {t('journals.createFirst')}
              </Button>
            }
          />
        </Card>
      )}
    </>
  )
}
