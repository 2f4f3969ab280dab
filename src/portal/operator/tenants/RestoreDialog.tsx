import { useState } from 'react'
import { Form, Input, Radio, Space, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import type { Backup, Tenant } from '../../shared/model.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { restoreModes, useRestore } from './careQueries.ts'

interface RestoreDialogProps {
  tenant: Tenant
  backup: Backup
  onBegun: (operationId: string) => void
  onClose: () => void
}

export function RestoreDialog({ tenant, backup, onBegun, onClose }: RestoreDialogProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const restore = useRestore(tenant.id)
  const [mode, setMode] = useState<(typeof restoreModes)[number]>('side')
  return (
    <ActionDialog<{ newTenantCode?: string }>
      title={t('restores.title', { at: formats.instant(backup.takenAt) })}
      okText={t('restores.begin')}
      // What replaces the live data is asked for twice.
      isDangerous={mode === 'swap'}
      {...(mode === 'swap' ? { typedCode: tenant.tenantCode } : {})}
      isPending={restore.isPending}
      onSubmit={({ newTenantCode }, handlers) =>
        restore.mutate(
          {
            backupId: backup.id,
            mode,
            ...(mode === 'clone' && newTenantCode ? { newTenantCode } : {}),
          },
          {
            ...handlers,
            onSuccess: ({ operationId }) => {
              handlers.onSuccess()
              onBegun(operationId)
            },
          },
        )
      }
      onClose={onClose}
    >
      {mode === 'swap' && <ApprovalNotice operation="createRestore" />}
      <Form.Item label={t('restores.mode')}>
        <Radio.Group
          value={mode}
          onChange={({ target }) => setMode(target.value as (typeof restoreModes)[number])}
        >
          <Space orientation="vertical">
            {restoreModes.map((one) => (
              <Radio key={one} value={one}>
                {t(`restoreModes.${one}`)}
                <br />
                <Typography.Text type="secondary">{t(`restoreHints.${one}`)}</Typography.Text>
              </Radio>
            ))}
          </Space>
        </Radio.Group>
      </Form.Item>
      {mode === 'clone' && (
        <Form.Item
          name="newTenantCode"
          label={t('restores.newTenantCode')}
          extra={t('restores.newTenantCodeHint', { code: `${tenant.tenantCode}_COPY` })}
        >
          <Input maxLength={40} dir="ltr" />
        </Form.Item>
      )}
    </ActionDialog>
  )
}
