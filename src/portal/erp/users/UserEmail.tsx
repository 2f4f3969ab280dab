import { useQuery } from '@tanstack/react-query'
import { Alert, App, Button, Card, Form, Input, InputNumber, Select, Space, Switch, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { HtmlFrame } from '../../shared/HtmlFrame.tsx'
import type { EmailSettings, TenantUser } from '../../shared/model.ts'
import { ProblemAlert, QueryState } from '../../shared/states.tsx'
import { VersionedForm } from '../../shared/VersionedForm.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { MailTable } from '../mails/MailTable.tsx'
import { userMailsQuery } from '../mails/queries.ts'
import { emailSettingsQuery, useForgetEmailSettings, useSaveEmailSettings, useTestEmail } from './queries.ts'

export function UserEmail({ user }: { user: TenantUser }) {
  const { t } = useTranslation()
  const found = useQuery(emailSettingsQuery(user.id))
  if (!found.isSuccess) return <QueryState query={found} />
  const { settings, version } = found.data
  return (
    <Space orientation="vertical" size="large" style={{ width: '100%' }}>
      <Card title={t('email.server')} extra={settings && <ForgetButton userId={user.id} />}>
        {!settings && <Typography.Paragraph type="secondary">{t('email.none')}</Typography.Paragraph>}
        <SettingsForm
          key={version}
          user={user}
          settings={settings}
          version={version}
          onReload={() => void found.refetch()}
        />
      </Card>
      {settings && <TestCard user={user} />}
      <UnsentMails userId={user.id} />
    </Space>
  )
}

type Values = Partial<Omit<EmailSettings, 'hasPassword' | 'createdAt' | 'updatedAt'>> & { password?: string }

interface SettingsFormProps {
  user: TenantUser
  settings: EmailSettings | null
  version: string | null
  onReload: () => void
}

function SettingsForm({ user, settings, version, onReload }: SettingsFormProps) {
  const { t } = useTranslation()
  const [form] = Form.useForm<Values>()
  const required = { required: true, message: t('validation.required') }
  const initial: Values = settings ?? { security: 'tls', alwaysUseSender: false }
  return (
    <VersionedForm
      form={form}
      id={user.id}
      version={version}
      initialValues={initial}
      save={useSaveEmailSettings(user.id)}
      fieldsOf={fieldsToSend}
      onClose={() => form.resetFields()}
      onReload={onReload}
    >
      <div className="side-by-side">
        <Form.Item name="host" label={t('email.host')} rules={[required]}>
          <Input dir="ltr" maxLength={253} placeholder="smtp.example.com" />
        </Form.Item>
        <Form.Item name="security" label={t('email.security')} rules={[required]}>
          <Select
            options={(['tls', 'ssl', 'none'] as const).map((value) => ({
              value,
              label: t(`email.securities.${value}`),
            }))}
          />
        </Form.Item>
        <Form.Item name="port" label={t('email.port')} extra={t('email.portHint')}>
          <InputNumber min={1} max={65_535} precision={0} style={{ width: '100%' }} />
        </Form.Item>
        <Form.Item name="username" label={t('email.username')}>
          <Input dir="ltr" maxLength={200} autoComplete="off" />
        </Form.Item>
        <Form.Item
          name="password"
          label={t('signIn.password')}
          {...(settings?.hasPassword ? { extra: t('email.passwordKept') } : {})}
        >
          <Input.Password dir="ltr" maxLength={1_000} autoComplete="new-password" />
        </Form.Item>
        <Form.Item
          name="fromName"
          label={t('email.fromName')}
          extra={t('email.fromHint', { email: user.email })}
        >
          <Input maxLength={200} placeholder={user.fullName} />
        </Form.Item>
        <Form.Item
          name="replyTo"
          label={t('email.replyTo')}
          rules={[{ type: 'email', message: t('validation.email') }]}
        >
          <Input type="email" dir="ltr" maxLength={254} placeholder={user.email} />
        </Form.Item>
        <Form.Item
          name="alwaysUseSender"
          label={t('email.alwaysUseSender')}
          extra={t('email.alwaysUseSenderHint')}
          valuePropName="checked"
        >
          <Switch />
        </Form.Item>
      </div>
      <HtmlField name="signatureHtml" label={t('email.signature')} />
      <HtmlField name="footerHtml" label={t('email.footer')} />
    </VersionedForm>
  )
}

/** What is typed, beside what it will look like; what could do harm is taken out by the server when it is saved. */
function HtmlField({ name, label }: { name: 'signatureHtml' | 'footerHtml'; label: string }) {
  const { t } = useTranslation()
  const html = Form.useWatch<string | null | undefined>(name)
  return (
    <div className="side-by-side">
      <Form.Item name={name} label={label} extra={t('email.htmlHint')}>
        <Input.TextArea rows={6} dir="ltr" maxLength={20_000} spellCheck={false} className="ltr" />
      </Form.Item>
      <Form.Item label={t('email.preview')}>
        <HtmlFrame title={`${t('email.preview')}: ${label}`} html={html ?? ''} height={140} />
      </Form.Item>
    </div>
  )
}

/** An emptied field is sent as null; a password that was not typed stays as it is. */
function fieldsToSend({ password, host, port, security, alwaysUseSender, ...texts }: Values) {
  const emptied = Object.entries(texts).map(([name, text]) => [name, text === '' ? null : (text ?? null)])
  return {
    ...(Object.fromEntries(emptied) as Pick<Values, 'username' | 'fromName' | 'replyTo' | 'signatureHtml' | 'footerHtml'>), // prettier-ignore
    ...(host === undefined ? {} : { host: host.trim() }),
    ...(port === undefined || port === null ? {} : { port }),
    ...(security === undefined ? {} : { security }),
    alwaysUseSender: alwaysUseSender === true,
    ...(password ? { password } : {}),
  }
}

function TestCard({ user }: { user: TenantUser }) {
  const { t } = useTranslation()
  const test = useTestEmail(user.id)
  const answer = test.data
  return (
    <Card title={t('email.test')}>
      <Space orientation="vertical" style={{ width: '100%' }}>
        <Typography.Text>{t('email.testHint')}</Typography.Text>
        <Button loading={test.isPending} onClick={() => test.mutate()}>
          {t('email.testSend')}
        </Button>
        <ProblemAlert error={test.error} />
        {answer && !test.isPending && (
          <Alert
            showIcon
            role="status"
            type={answer.outcome === 'sent' ? 'success' : 'error'}
            title={t(`email.outcomes.${answer.outcome}`, { recipient: answer.recipient })}
            description={
              answer.serverAnswer && (
                <>
                  {t('email.serverSaid')} <bdi className="ltr">{answer.serverAnswer}</bdi>
                </>
              )
            }
          />
        )}
      </Space>
    </Card>
  )
}

function ForgetButton({ userId }: { userId: string }) {
  const { t } = useTranslation()
  const { modal } = App.useApp()
  const tellProblem = useTellProblem()
  const forget = useForgetEmailSettings(userId)
  const ask = () =>
    modal.confirm({
      title: t('email.forget'),
      content: t('email.forgetHint'),
      okText: t('email.forget'),
      okButtonProps: { danger: true },
      onOk: () => forget.mutateAsync().catch(tellProblem),
    })
  return (
    <Button danger onClick={ask}>
      {t('email.forget')}
    </Button>
  )
}

/** Mails in this user's name that could not be sent; nothing where there are none. */
function UnsentMails({ userId }: { userId: string }) {
  const { t } = useTranslation()
  const dead = useQuery(userMailsQuery(userId, 'dead'))
  if (!dead.isSuccess || dead.data.mails.length === 0) return null
  return <MailTable card={{ title: t('email.unsent') }} dataSource={dead.data.mails} />
}
