import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Button, Card, Descriptions } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import type { Backup, Tenant } from '../../shared/model.ts'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { BackupsTable } from '../backups/BackupsTable.tsx'
import { backupsQuery, useBackUp } from '../backups/queries.ts'
import { OperationModal } from '../operations/OperationModal.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { RestoreDialog } from './RestoreDialog.tsx'

export function TenantBackups({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const [page, setPage] = useState(1)
  const [restoring, setRestoring] = useState<Backup | null>(null)
  const [operationId, setOperationId] = useState<string | null>(null)
  const backups = useQuery(backupsQuery({ page, tenantId: tenant.id }))
  if (!backups.isSuccess) return <QueryState query={backups} />
  return (
    <>
      <Card style={{ marginBlockEnd: 16 }} extra={<BackUpNow tenant={tenant} />} title={t('backups.summary')}>
        <Summary tenant={tenant} backups={backups.data.backups} />
      </Card>
      <BackupsTable
        list={backups.data}
        showsTenant={false}
        onPage={setPage}
        actions={(backup) =>
          can('restores:create') && (
            <Button size="small" onClick={() => setRestoring(backup)}>
              {t('restores.restore')}
            </Button>
          )
        }
      />
      {restoring && (
        <RestoreDialog
          tenant={tenant}
          backup={restoring}
          onBegun={setOperationId}
          onClose={() => setRestoring(null)}
        />
      )}
      {operationId && (
        <OperationModal title={t('restores.restore')} id={operationId} onClose={() => setOperationId(null)} />
      )}
    </>
  )
}

/** Of the newest ones, which are what one would restore. */
function Summary({ tenant, backups }: { tenant: Tenant; backups: readonly Backup[] }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const last = backups.find(({ state }) => state === 'good')
  return (
    <Descriptions
      column={{ xs: 1, md: 3 }}
      items={[
        {
          key: 'last',
          label: t('backups.last'),
          children: last ? formats.instant(last.takenAt) : t('backups.none'),
        },
        { key: 'size', label: t('backups.size'), children: formats.bytes(last?.sizeBytes) || '–' },
        {
          key: 'proven',
          label: t('backups.lastProven'),
          children: formats.instant(tenant.lastProvenRestoreAt) || t('backups.never'),
        },
      ]}
    />
  )
}

function BackUpNow({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const can = useOperatorCan()
  const [operationId, setOperationId] = useState<string | null>(null)
  const backUp = useBackUp(tenant.id)
  if (!can('backups:create') || tenant.databaseName === null) return null
  return (
    <>
      <Button
        type="primary"
        loading={backUp.isPending}
        onClick={() =>
          backUp.mutate(crypto.randomUUID(), {
            onSuccess: (started) => setOperationId(started.operationId),
            onError: tellProblem,
          })
        }
      >
        {t('backups.now')}
      </Button>
      {operationId && (
        <OperationModal title={t('backups.now')} id={operationId} onClose={() => setOperationId(null)} />
      )}
    </>
  )
}
