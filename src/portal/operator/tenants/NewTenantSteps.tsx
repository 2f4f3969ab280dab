/** The wizard's pages. The form keeps what was typed on a page that is not shown. */
import { useState } from 'react'
import { Form, Input, Select, type FormInstance } from 'antd'
import { useTranslation } from 'react-i18next'
import type { NewTenant, TenantOptions } from '../../shared/model.ts'

export function CompanyStep({ form }: { form: FormInstance<NewTenant> }) {
  const { t } = useTranslation()
  const required = useRequired()
  const [isOwnChoice, setIsOwnChoice] = useState({
    tenantCode: Boolean(form.getFieldValue('tenantCode')),
    subdomain: Boolean(form.getFieldValue('subdomain')),
  })

  /** Code and subdomain follow the name until they are typed themselves. */
  function suggest(companyName: string) {
    const words = companyName
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim()
      .split(' ')
      .filter(Boolean)
    if (!isOwnChoice.tenantCode) {
      form.setFieldValue(
        'tenantCode',
        words
          .join('_')
          .replace(/^[0-9_]+/, '')
          .toUpperCase()
          .slice(0, 40),
      )
    }
    if (!isOwnChoice.subdomain) form.setFieldValue('subdomain', words.join('-').slice(0, 63))
  }

  return (
    <>
      <Form.Item name="companyName" label={t('tenants.companyName')} rules={[required]}>
        <Input maxLength={200} autoFocus onChange={(event) => suggest(event.target.value)} />
      </Form.Item>
      <Form.Item
        name="tenantCode"
        label={t('tenants.code')}
        extra={t('wizard.codeHint')}
        rules={[required, { pattern: /^[A-Za-z][A-Za-z0-9_]{1,39}$/, message: t('wizard.codeHint') }]}
      >
        <Input
          maxLength={40}
          dir="ltr"
          onChange={() => setIsOwnChoice((before) => ({ ...before, tenantCode: true }))}
        />
      </Form.Item>
      <Form.Item
        name="subdomain"
        label={t('tenants.subdomain')}
        extra={t('wizard.subdomainHint')}
        rules={[required, { pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, message: t('wizard.subdomainHint') }]}
      >
        <Input
          maxLength={63}
          dir="ltr"
          onChange={() => setIsOwnChoice((before) => ({ ...before, subdomain: true }))}
        />
      </Form.Item>
    </>
  )
}

export function PlanStep({ options }: { options: TenantOptions }) {
  const { t } = useTranslation()
  const required = useRequired()
  return (
    <>
      <Form.Item name="planCode" label={t('tenants.plan')} rules={[required]}>
        <Select options={options.plans.map(({ code, name }) => ({ value: code, label: name }))} />
      </Form.Item>
      <Form.Item name="country" label={t('tenants.country')} rules={[required]}>
        <Select showSearch={{ optionFilterProp: 'label' }} options={options.countries.map(withCode)} />
      </Form.Item>
      <Form.Item name="currency" label={t('fields.currency')} rules={[required]}>
        <Select showSearch={{ optionFilterProp: 'label' }} options={options.currencies.map(withCode)} />
      </Form.Item>
      <Form.Item name="chartTemplate" label={t('tenants.chartTemplate')} rules={[required]}>
        <Select
          options={options.chartTemplates.map(({ code, name, description }) => ({
            value: code,
            label: name,
            title: description,
          }))}
        />
      </Form.Item>
    </>
  )
}

export function AdminStep() {
  const { t } = useTranslation()
  const required = useRequired()
  return (
    <>
      <Form.Item name="adminName" label={t('tenants.adminName')} rules={[required]}>
        <Input maxLength={200} autoComplete="off" />
      </Form.Item>
      <Form.Item
        name="adminEmail"
        label={t('tenants.adminEmail')}
        rules={[required, { type: 'email', message: t('validation.email') }]}
      >
        <Input type="email" maxLength={254} autoComplete="off" dir="ltr" />
      </Form.Item>
      <Form.Item
        name="adminPassword"
        label={t('tenants.adminPassword')}
        extra={t('wizard.passwordHint')}
        rules={[{ min: 8, message: t('validation.password') }]}
      >
        <Input.Password maxLength={72} autoComplete="new-password" />
      </Form.Item>
    </>
  )
}

function useRequired() {
  const { t } = useTranslation()
  return { required: true, message: t('validation.required') }
}

function withCode({ code, name }: { code: string; name: string }) {
  return { value: code, label: `${code} – ${name}` }
}
