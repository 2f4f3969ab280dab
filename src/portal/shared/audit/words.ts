import { useTranslation } from 'react-i18next'

/** What the log calls things, in the reader's words; what has none yet, as the log has it. */
export function useAuditWords() {
  const { t } = useTranslation()
  return {
    action: (action: string) =>
      t(`audit.actions.${action}` as 'audit.actions.insert', { defaultValue: action }),
    entity: (entity: string) =>
      t(`audit.entities.${entity.replace('.', '_')}` as 'audit.entities.core_role', { defaultValue: entity }),
  }
}
