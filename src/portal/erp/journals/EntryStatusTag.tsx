import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { JournalEntry } from '../../shared/model.ts'

export const entryStatuses = ['draft', 'posted', 'reversed'] as const

const colours: Record<JournalEntry['status'], string> = {
  draft: 'default',
  posted: 'success',
  reversed: 'warning',
}

export function EntryStatusTag({ status }: { status: JournalEntry['status'] }) {
  const { t } = useTranslation()
  return <Tag color={colours[status]}>{t(`entryStatus.${status}`)}</Tag>
}
