import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { actorKinds } from '../../../kernel/actors.ts'
import { DateInput } from '../DateInput.tsx'
import { FilterSelect } from '../FilterSelect.tsx'
import { Labelled } from '../Labelled.tsx'
import { SearchBox } from '../SearchBox.tsx'
import type { AuditFilter } from './filter.ts'
import { useAuditWords } from './words.ts'

const actions = ['insert', 'update', 'delete', 'post', 'reverse', 'sign-in', 'sign-out', 'refused'] as const
/** Chosen by following an entry, not by typing. */
const followed = ['entity', 'entityId', 'actorId', 'requestId', 'tenantId'] as const

interface AuditFiltersProps {
  filter: AuditFilter
  onFilter: (filter: AuditFilter) => void
}

export function AuditFilters({ filter, onFilter }: AuditFiltersProps) {
  const { t } = useTranslation()
  const words = useAuditWords()
  const change = (changed: AuditFilter) => onFilter({ ...filter, ...changed })
  return (
    <div className="toolbar">
      <SearchBox
        label={t('actions.search')}
        placeholder={t('audit.searchHint')}
        value={filter.search ?? ''}
        onSearch={(search) => change({ search })}
      />
      <FilterSelect
        label={t('audit.what')}
        value={filter.action}
        options={actions.map((action) => ({ value: action, label: words.action(action) }))}
        onChange={(action) => change({ action: action ?? '' })}
      />
      <FilterSelect
        label={t('audit.who')}
        value={filter.actorKind}
        options={actorKinds.map((kind) => ({ value: kind, label: t(`audit.actorKinds.${kind}`) }))}
        onChange={(kind) => change({ actorKind: kind ?? '' })}
      />
      <Labelled label={t('fields.from')}>
        <DateInput value={filter.from ?? ''} onChange={(from) => change({ from })} style={{ width: 160 }} />
      </Labelled>
      <Labelled label={t('fields.to')}>
        <DateInput value={filter.to ?? ''} onChange={(to) => change({ to })} style={{ width: 160 }} />
      </Labelled>
      {followed
        .filter((name) => filter[name])
        .map((name) => (
          <Tag key={name} closable color="processing" onClose={() => change({ [name]: '' })}>
            {t(`audit.followed.${name}`)}{' '}
            {name === 'entity' ? (
              words.entity(filter.entity ?? '')
            ) : (
              <span className="ltr">{filter[name]}</span>
            )}
          </Tag>
        ))}
    </div>
  )
}
