import { useState, type ReactNode } from 'react'
import { Button, Space, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { Backup, BackupList, BackupState } from '../../shared/model.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { TenantLink } from '../tenants/TenantLink.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { useDeleteBackup } from './queries.ts'

interface BackupsTableProps {
  list: BackupList
  /** In a tenant's own page it need not be said whose they are. */
  showsTenant: boolean
  onPage: (page: number) => void
  /** What else can be done with a good one. */
  actions?: (backup: Backup) => ReactNode
}

export function BackupsTable({ list, showsTenant, onPage, actions }: BackupsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useOperatorCan()
  const [deleting, setDeleting] = useState<Backup | null>(null)
  return (
    <>
      <ListTable
        dataSource={list.backups}
        empty={t('backups.empty')}
        pages={list.pagination}
        onPage={onPage}
        columns={[
          {
            title: t('backups.takenAt'),
            render: (_, { takenAt, createdAt }) => formats.instant(takenAt ?? createdAt),
          },
          ...(showsTenant
            ? [
                {
                  title: t('operations.tenant'),
                  render: (_: unknown, row: Backup) => <TenantLink {...row} />,
                },
              ]
            : []),
          { title: t('fields.status'), render: (_, backup) => <BackupStateTag backup={backup} /> },
          { title: t('backups.reason'), render: (_, { reason }) => t(`backupReasons.${reason}`) },
          {
            title: t('backups.size'),
            ...numeric,
            render: (_, { sizeBytes }) => formats.bytes(sizeBytes) || '–',
          },
          {
            title: t('backups.rows'),
            ...numeric,
            render: (_, { rowCount }) => formats.number(rowCount) || '–',
          },
          {
            title: t('backups.duration'),
            ...numeric,
            render: (_, { durationMs }) => formats.duration(durationMs) || '–',
          },
          {
            title: t('backups.proven'),
            render: (_, { provenAt, state }) =>
              provenAt
                ? formats.instant(provenAt)
                : state === 'good' && (
                    <Typography.Text type="secondary">{t('backups.notProven')}</Typography.Text>
                  ),
          },
          {
            title: '',
            render: (_, backup) =>
              backup.state === 'good' && (
                <Space>
                  {actions?.(backup)}
                  {can('backups:delete') && (
                    <Button size="small" onClick={() => setDeleting(backup)}>
                      {t('actions.delete')}
                    </Button>
                  )}
                </Space>
              ),
          },
        ]}
      />
      {deleting && <DeleteDialog backup={deleting} onClose={() => setDeleting(null)} />}
    </>
  )
}

function DeleteDialog({ backup, onClose }: { backup: Backup; onClose: () => void }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const remove = useDeleteBackup()
  return (
    <ActionDialog
      title={t('backups.deleteTitle', { at: formats.instant(backup.takenAt) })}
      okText={t('actions.delete')}
      consequence={t('backups.deleteConsequence')}
      isDangerous
      typedCode={backup.tenantCode}
      isPending={remove.isPending}
      onSubmit={(_, handlers) => remove.mutate(backup.id, handlers)}
      onClose={onClose}
    >
      <ApprovalNotice operation="deleteBackup" />
    </ActionDialog>
  )
}

const colours: Record<BackupState, string> = {
  running: 'processing',
  good: 'success',
  failed: 'error',
  expiring: 'default',
  deleted: 'default',
}

export const backupStates = Object.keys(colours) as BackupState[]

function BackupStateTag({ backup: { state, error } }: { backup: Backup }) {
  const { t } = useTranslation()
  const tag = <Tag color={colours[state]}>{t(`backupStates.${state}`)}</Tag>
  return error ? <Tooltip title={error}>{tag}</Tooltip> : tag
}
