import { useState } from 'react'
import { MoreOutlined } from '@ant-design/icons'
import { Button, Dropdown, Form, Input, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import type { ApiKey } from '../../shared/model.ts'
import { useCan } from '../useCompany.ts'
import { AddressesField } from './NewKeyDialog.tsx'
import { useChangeKey, useRevokeKey, useRotateKey } from './queries.ts'
import type { ShownSecret } from './SecretDialog.tsx'

type Dialog = 'rename' | 'rotate' | 'revoke'

/** Hours. */
const overlaps = { none: 0, hour: 1, day: 24, threeDays: 72, week: 168 } as const

export function KeyActions({ apiKey, onSecret }: { apiKey: ApiKey; onSecret: (shown: ShownSecret) => void }) {
  const { t } = useTranslation()
  const can = useCan()
  const [dialog, setDialog] = useState<Dialog | null>(null)
  const close = () => setDialog(null)
  const items = [
    ...(can('api-keys:edit')
      ? [
          { key: 'rotate', label: t('apiKeys.rotate') },
          { key: 'rename', label: t('apiKeys.rename') },
        ]
      : []),
    ...(can('api-keys:delete') ? [{ key: 'revoke', label: t('apiKeys.revoke'), danger: true }] : []),
  ]
  if (apiKey.status === 'revoked' || items.length === 0) return null
  return (
    <>
      <Dropdown trigger={['click']} menu={{ items, onClick: ({ key }) => setDialog(key as Dialog) }}>
        <Button
          type="text"
          icon={<MoreOutlined />}
          aria-label={t('actions.moreFor', { name: apiKey.name })}
        />
      </Dropdown>
      {dialog === 'rotate' && <RotateDialog apiKey={apiKey} onSecret={onSecret} onClose={close} />}
      {dialog === 'rename' && <RenameDialog apiKey={apiKey} onClose={close} />}
      {dialog === 'revoke' && <RevokeDialog apiKey={apiKey} onClose={close} />}
    </>
  )
}

interface DialogProps {
  apiKey: ApiKey
  onClose: () => void
}

function RotateDialog({
  apiKey,
  onSecret,
  onClose,
}: DialogProps & { onSecret: (shown: ShownSecret) => void }) {
  const { t } = useTranslation()
  const rotate = useRotateKey()
  return (
    <ActionDialog<{ overlapHours: number }>
      title={t('apiKeys.rotateTitle', { name: apiKey.name })}
      okText={t('apiKeys.rotate')}
      consequence={t('apiKeys.rotateConsequence')}
      isPending={rotate.isPending}
      initialValues={{ overlapHours: 24 }}
      onSubmit={({ overlapHours }, handlers) =>
        rotate.mutate(
          { id: apiKey.id, overlapHours },
          {
            onError: handlers.onError,
            onSuccess: ({ secret }) => {
              handlers.onSuccess()
              onSecret({ title: t('apiKeys.rotated'), secret, clientId: apiKey.id })
            },
          },
        )
      }
      onClose={onClose}
    >
      <Form.Item name="overlapHours" label={t('apiKeys.overlap')}>
        <Select
          options={Object.entries(overlaps).map(([name, hours]) => ({
            value: hours,
            label: t(`apiKeys.overlaps.${name as keyof typeof overlaps}`),
          }))}
        />
      </Form.Item>
    </ActionDialog>
  )
}

function RenameDialog({ apiKey, onClose }: DialogProps) {
  const { t } = useTranslation()
  const change = useChangeKey()
  return (
    <ActionDialog<{ name: string; allowedAddresses: string[] }>
      title={apiKey.name}
      okText={t('actions.save')}
      isPending={change.isPending}
      initialValues={{ name: apiKey.name, allowedAddresses: apiKey.allowedAddresses }}
      onSubmit={(answers, handlers) => change.mutate({ key: apiKey, change: answers }, handlers)}
      doneText={t('states.saved')}
      onClose={onClose}
    >
      <Form.Item
        name="name"
        label={t('fields.name')}
        rules={[{ required: true, message: t('validation.required') }]}
      >
        <Input maxLength={100} autoFocus />
      </Form.Item>
      <AddressesField />
    </ActionDialog>
  )
}

function RevokeDialog({ apiKey, onClose }: DialogProps) {
  const { t } = useTranslation()
  const revoke = useRevokeKey()
  return (
    <ActionDialog
      title={t('apiKeys.revokeTitle', { name: apiKey.name })}
      okText={t('apiKeys.revoke')}
      consequence={t('apiKeys.revokeConsequence')}
      isDangerous
      isPending={revoke.isPending}
      onSubmit={(_, handlers) => revoke.mutate(apiKey.id, handlers)}
      doneText={t('apiKeys.revoked')}
      onClose={onClose}
    />
  )
}
