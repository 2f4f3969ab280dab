import { Form, Input, InputNumber, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import type { NewServer } from '../../shared/model.ts'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { useAddServer } from './queries.ts'

const kinds = ['shared', 'dedicated'] as const
const sslModes = ['verify-full', 'require', 'disable'] as const

export function AddServerDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const add = useAddServer()
  const submission = useSubmissionKey()
  const required = { required: true, message: t('validation.required') }
  return (
    <ActionDialog<NewServer>
      title={t('servers.add')}
      okText={t('servers.add')}
      consequence={t('servers.addConsequence')}
      isPending={add.isPending}
      initialValues={{ kind: 'shared', port: 5432, sslMode: 'verify-full', adminDatabase: 'postgres' }}
      onSubmit={(answers, handlers) => {
        const body = withoutBlanks(answers)
        add.mutate({ body, submissionKey: submission.keyFor(body) }, handlers)
      }}
      doneText={t('servers.added')}
      onClose={onClose}
    >
      <Form.Item name="name" label={t('fields.name')} rules={[required]}>
        <Input maxLength={60} dir="ltr" autoFocus />
      </Form.Item>
      <Form.Item name="kind" label={t('servers.kind')} extra={t('servers.kindHint')}>
        <Select options={kinds.map((kind) => ({ value: kind, label: t(`serverKinds.${kind}`) }))} />
      </Form.Item>
      <Form.Item name="host" label={t('servers.host')} rules={[required]}>
        <Input maxLength={253} dir="ltr" />
      </Form.Item>
      <Form.Item name="port" label={t('servers.port')} rules={[required]}>
        <InputNumber min={1} max={65_535} precision={0} style={{ width: '100%' }} />
      </Form.Item>
      <Form.Item name="sslMode" label={t('servers.sslMode')}>
        <Select options={sslModes.map((mode) => ({ value: mode, label: t(`sslModes.${mode}`) }))} />
      </Form.Item>
      <Form.Item name="adminUser" label={t('servers.adminUser')} rules={[required]}>
        <Input maxLength={63} dir="ltr" autoComplete="off" />
      </Form.Item>
      <Form.Item
        name="adminPassword"
        label={t('servers.adminPassword')}
        extra={t('servers.adminPasswordHint')}
        rules={[required]}
      >
        <Input.Password maxLength={1000} dir="ltr" autoComplete="new-password" />
      </Form.Item>
      <Form.Item name="adminDatabase" label={t('servers.adminDatabase')}>
        <Input maxLength={63} dir="ltr" />
      </Form.Item>
      <Form.Item name="region" label={t('servers.region')}>
        <Input maxLength={60} />
      </Form.Item>
      <Form.Item
        name="databaseLimit"
        label={t('servers.databaseLimit')}
        extra={t('servers.databaseLimitHint')}
      >
        <InputNumber min={1} max={100_000} precision={0} style={{ width: '100%' }} />
      </Form.Item>
    </ActionDialog>
  )
}

/** What was left empty is left out, so that the server's own default holds. */
function withoutBlanks(answers: NewServer): NewServer {
  const given = Object.entries(answers).filter(([, value]) => value !== '' && value !== null)
  return Object.fromEntries(given) as NewServer
}
