import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Button, Card, Descriptions, Space, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog, ReasonField } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { Tenant, TenantExport } from '../../shared/model.ts'
import { saveFile } from '../../shared/saveFile.ts'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { OperationModal } from '../operations/OperationModal.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { certificatesQuery, exportsQuery, useClosing, useExport, useExportFile } from './careQueries.ts'

/** Taking all of it along, and putting it away. */
export function TenantClosing({ tenant }: { tenant: Tenant }) {
  const [operationId, setOperationId] = useState<string | null>(null)
  const { t } = useTranslation()
  return (
    <>
      <Exports tenant={tenant} onBegun={setOperationId} />
      <Closing tenant={tenant} onBegun={setOperationId} />
      <Certificates tenant={tenant} />
      {operationId && (
        <OperationModal title={t('tenants.closing')} id={operationId} onClose={() => setOperationId(null)} />
      )}
    </>
  )
}

interface PartProps {
  tenant: Tenant
  onBegun: (operationId: string) => void
}

const colours: Record<TenantExport['state'], string> = {
  running: 'processing',
  done: 'success',
  failed: 'error',
  expired: 'default',
}

function Exports({ tenant, onBegun }: PartProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useOperatorCan()
  const [page, setPage] = useState(1)
  const exports = useQuery(exportsQuery(tenant.id, page))
  const begin = useExport(tenant.id)
  const tell = useTellProblem()
  if (!exports.isSuccess) return <QueryState query={exports} />
  return (
    <ListTable
      card={{
        title: t('exports.list'),
        style: { marginBlockEnd: 16 },
        extra: can('exports:create') && tenant.databaseName !== null && (
          <Button
            loading={begin.isPending}
            onClick={() =>
              begin.mutate(undefined, {
                onSuccess: ({ operationId }) => onBegun(operationId),
                onError: tell,
              })
            }
          >
            {t('exports.begin')}
          </Button>
        ),
      }}
      dataSource={exports.data.exports}
      empty={t('exports.empty')}
      pages={exports.data.pagination}
      onPage={setPage}
      columns={[
        { title: t('fields.createdAt'), render: (_, { createdAt }) => formats.instant(createdAt) },
        {
          title: t('fields.status'),
          render: (_, { state, error }) => (
            <Tooltip title={error}>
              <Tag color={colours[state]}>{t(`exportStates.${state}`)}</Tag>
            </Tooltip>
          ),
        },
        {
          title: t('backups.size'),
          ...numeric,
          render: (_, { sizeBytes }) => formats.bytes(sizeBytes) || '–',
        },
        { title: t('exports.expiresAt'), render: (_, { expiresAt }) => formats.instant(expiresAt) || '–' },
        {
          title: '',
          render: (_, { id, state }) =>
            state === 'done' && can('exports:download') && <Download tenant={tenant} exportId={id} />,
        },
      ]}
    />
  )
}

function Download({ tenant, exportId }: { tenant: Tenant; exportId: string }) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const file = useExportFile(tenant.id)
  return (
    <Button
      size="small"
      loading={file.isPending}
      onClick={() =>
        file.mutate(exportId, {
          onSuccess: (blob) => saveFile(blob, `${tenant.tenantCode.toLowerCase()}-export.zip`),
          onError: tellProblem,
        })
      }
    >
      {t('exports.download')}
    </Button>
  )
}

function Closing({ tenant, onBegun }: PartProps) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const [asked, setAsked] = useState<'archive' | 'delete' | null>(null)
  const close = useClosing(tenant.id)
  const kind = tenant.status === 'archived' ? 'delete' : 'archive'
  if (!can(kind === 'archive' ? 'tenants:archive' : 'tenants:delete')) return null
  if (kind === 'archive' && tenant.databaseName === null) return null
  return (
    <Card style={{ marginBlockEnd: 16 }} title={t(`closing.${kind}`)}>
      <Typography.Paragraph>{t(`closing.${kind}Consequence`)}</Typography.Paragraph>
      <Button danger disabled={tenant.busyWith !== null} onClick={() => setAsked(kind)}>
        {t(`closing.${kind}`)}
      </Button>
      {asked && (
        <ActionDialog<{ reason: string }>
          title={t('closing.title', { name: tenant.companyName })}
          okText={t(`closing.${asked}`)}
          consequence={t(`closing.${asked}Consequence`)}
          isDangerous
          typedCode={tenant.tenantCode}
          isPending={close.isPending}
          onSubmit={({ reason }, handlers) =>
            close.mutate(
              { kind: asked, confirm: tenant.tenantCode, reason },
              {
                ...handlers,
                onSuccess: ({ operationId }) => {
                  handlers.onSuccess()
                  onBegun(operationId)
                },
              },
            )
          }
          onClose={() => setAsked(null)}
        >
          <ApprovalNotice operation={asked === 'archive' ? 'archiveTenant' : 'deleteTenant'} />
          <ReasonField />
        </ActionDialog>
      )}
    </Card>
  )
}

function Certificates({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const certificates = useQuery(certificatesQuery(tenant.id))
  if (!certificates.data || certificates.data.certificates.length === 0) return null
  return (
    <Card title={t('closing.certificates')}>
      <Descriptions
        column={1}
        items={certificates.data.certificates.map((certificate) => ({
          key: certificate.id,
          label: t(`certificateKinds.${certificate.kind}`),
          children: (
            <Space wrap>
              {formats.instant(certificate.createdAt)}
              <Tag color={certificate.isGenuine ? 'success' : 'error'}>
                {certificate.isGenuine ? t('closing.genuine') : t('closing.notGenuine')}
              </Tag>
              <Button
                size="small"
                onClick={() => {
                  const { document: text, signature, publicKey } = certificate
                  const content = JSON.stringify({ document: text, signature, publicKey }, null, 2)
                  saveFile(
                    new Blob([content], { type: 'application/json' }),
                    `${tenant.tenantCode.toLowerCase()}-${certificate.kind}-certificate.json`,
                  )
                }}
              >
                {t('exports.download')}
              </Button>
            </Space>
          ),
        }))}
      />
    </Card>
  )
}
