import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Alert, App, Button, Card, Form, Input, Select, Space, Switch, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import type { SingleSignOn, SingleSignOnChange } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { VersionedForm } from '../../shared/VersionedForm.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan, useUser } from '../useCompany.ts'
import {
  defaultRolesQuery,
  returnAddress,
  settingsQuery,
  useRemoveSettings,
  useSaveSettings,
  useTestIssuer,
} from './queries.ts'

interface Values {
  label: string
  issuer: string
  clientId: string
  clientSecret: string
  allowedDomains: string[]
  /** '': nobody new is let in. */
  defaultRoleId: string
  companyIds: string[]
  isEnabled: boolean
  isRequired: boolean
}

export function SingleSignOnPage() {
  const { t } = useTranslation()
  const can = useCan()
  const found = useQuery(settingsQuery())
  const [isRemoving, setIsRemoving] = useState(false)
  if (!found.isSuccess) return <QueryState query={found} />
  const settings = found.data?.data ?? null
  const version = found.data?.version ?? null
  return (
    <>
      <PageHeader
        title={t('menu.singleSignOn')}
        actions={
          settings &&
          can('single-sign-on:edit') && (
            <Button danger onClick={() => setIsRemoving(true)}>
              {t('singleSignOn.remove')}
            </Button>
          )
        }
      />
      {!settings && (
        <Alert type="info" showIcon title={t('singleSignOn.notSetUp')} style={{ marginBlockEnd: 16 }} />
      )}
      <Card>
        <RedirectUris uris={settings?.redirectUris ?? [returnAddress()]} />
        <SettingsForm
          key={version}
          settings={settings}
          version={version}
          onReload={() => void found.refetch()}
        />
      </Card>
      {isRemoving && <RemoveDialog onClose={() => setIsRemoving(false)} />}
    </>
  )
}

function RedirectUris({ uris }: { uris: string[] }) {
  const { t } = useTranslation()
  return (
    <>
      <Typography.Text type="secondary">{t('singleSignOn.redirectUris')}</Typography.Text>
      {uris.map((uri) => (
        <div key={uri} style={{ marginBlock: 4 }}>
          <Typography.Text code copyable className="ltr" style={{ overflowWrap: 'anywhere' }}>
            {uri}
          </Typography.Text>
        </div>
      ))}
      <div style={{ marginBlockEnd: 24 }} />
    </>
  )
}

interface SettingsFormProps {
  settings: SingleSignOn | null
  version: string | null
  onReload: () => void
}

function SettingsForm({ settings, version, onReload }: SettingsFormProps) {
  const can = useCan()
  const save = useSaveSettings()
  const [form] = Form.useForm<Values>()
  const initialValues = valuesOf(settings)
  if (!can('single-sign-on:edit')) {
    return (
      <Form form={form} layout="vertical" disabled initialValues={initialValues}>
        <Fields settings={settings} />
      </Form>
    )
  }
  return (
    <VersionedForm<Values, SingleSignOnChange>
      form={form}
      id={settings === null ? null : 'single-sign-on'}
      version={version}
      initialValues={initialValues}
      save={save}
      fieldsOf={fieldsToSend}
      onClose={() => form.resetFields()}
      onReload={onReload}
    >
      <Fields settings={settings} />
    </VersionedForm>
  )
}

function Fields({ settings }: { settings: SingleSignOn | null }) {
  const { t } = useTranslation()
  const can = useCan()
  const user = useUser()
  const roles = useQuery(defaultRolesQuery(can('roles:view')))
  const required = { required: true, message: t('validation.required') }
  return (
    <div className="narrow-form">
      <Form.Item
        name="label"
        label={t('singleSignOn.label')}
        extra={t('singleSignOn.labelHint')}
        rules={[required]}
      >
        <Input maxLength={60} />
      </Form.Item>
      <Form.Item label={t('singleSignOn.issuer')} extra={t('singleSignOn.issuerHint')} required>
        <Space.Compact block>
          <Form.Item name="issuer" noStyle rules={[required]}>
            <Input maxLength={500} dir="ltr" aria-label={t('singleSignOn.issuer')} />
          </Form.Item>
          <TestButton />
        </Space.Compact>
      </Form.Item>
      <Form.Item name="clientId" label={t('singleSignOn.clientId')} rules={[required]}>
        <Input maxLength={300} dir="ltr" autoComplete="off" />
      </Form.Item>
      <Form.Item name="clientSecret" label={t('singleSignOn.clientSecret')}>
        <Input.Password
          maxLength={500}
          dir="ltr"
          autoComplete="new-password"
          placeholder={settings?.hasClientSecret ? t('singleSignOn.secretKept') : ''}
        />
      </Form.Item>
      <Form.Item
        name="allowedDomains"
        label={t('singleSignOn.domains')}
        extra={t('singleSignOn.domainsHint')}
        rules={[required]}
      >
        <Select mode="tags" open={false} suffixIcon={null} maxCount={50} tokenSeparators={[',', ' ']} />
      </Form.Item>
      <Form.Item
        name="defaultRoleId"
        label={t('singleSignOn.defaultRole')}
        extra={t('singleSignOn.defaultRoleHint')}
      >
        <Select
          options={[
            { value: '', label: t('singleSignOn.nobodyNew') },
            ...(roles.data ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
        />
      </Form.Item>
      <Form.Item noStyle dependencies={['defaultRoleId']}>
        {({ getFieldValue }) =>
          getFieldValue('defaultRoleId') !== '' && (
            <Form.Item name="companyIds" label={t('singleSignOn.companies')} rules={[required]}>
              <Select
                mode="multiple"
                options={user?.companies.map(({ id, name }) => ({ value: id, label: name })) ?? []}
              />
            </Form.Item>
          )
        }
      </Form.Item>
      <Form.Item name="isEnabled" label={t('singleSignOn.isEnabled')} valuePropName="checked">
        <Switch />
      </Form.Item>
      <Form.Item
        name="isRequired"
        label={t('singleSignOn.isRequired')}
        extra={t('singleSignOn.isRequiredHint')}
        valuePropName="checked"
      >
        <Switch />
      </Form.Item>
    </div>
  )
}

function TestButton() {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const form = Form.useFormInstance<Values>()
  const issuer = Form.useWatch('issuer', form) as string | undefined
  const test = useTestIssuer()
  return (
    <Button
      loading={test.isPending}
      disabled={(issuer ?? '').length < 8}
      onClick={() =>
        test.mutate(issuer ?? '', {
          onError: tellProblem,
          onSuccess: (answer) =>
            void (answer.isWorking ? message.success : message.warning)(answer.message, 6),
        })
      }
    >
      {t('singleSignOn.test')}
    </Button>
  )
}

function RemoveDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const remove = useRemoveSettings()
  return (
    <ActionDialog
      title={t('singleSignOn.removeTitle')}
      okText={t('singleSignOn.remove')}
      consequence={t('singleSignOn.removeConsequence')}
      isDangerous
      isPending={remove.isPending}
      onSubmit={(_, handlers) => remove.mutate(undefined, handlers)}
      doneText={t('singleSignOn.removed')}
      onClose={onClose}
    />
  )
}

function valuesOf(settings: SingleSignOn | null): Values {
  return {
    label: settings?.label ?? '',
    issuer: settings?.issuer ?? '',
    clientId: settings?.clientId ?? '',
    clientSecret: '',
    allowedDomains: settings?.allowedDomains ?? [],
    defaultRoleId: settings?.defaultRoleId ?? '',
    companyIds: settings?.companyIds ?? [],
    isEnabled: settings?.isEnabled ?? true,
    isRequired: settings?.isRequired ?? false,
  }
}

/** A secret that was not typed stays as it is. */
function fieldsToSend({ clientSecret, defaultRoleId, companyIds, ...values }: Values): SingleSignOnChange {
  return {
    ...values,
    defaultRoleId: defaultRoleId === '' ? null : defaultRoleId,
    ...(defaultRoleId === '' ? {} : { companyIds }),
    ...(clientSecret === '' ? {} : { clientSecret }),
  }
}
