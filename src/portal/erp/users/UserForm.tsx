import { useQuery } from '@tanstack/react-query'
import { Form, Input, Select, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import type { TenantUser } from '../../shared/model.ts'
import { VersionedForm } from '../../shared/VersionedForm.tsx'
import { roleChoicesQuery } from '../roles/queries.ts'
import { useCan, useCompany } from '../useCompany.ts'
import { companiesQuery, useSaveUser } from './queries.ts'

interface Values {
  fullName: string
  email: string
  phone?: string | null
  roleId: string
  isActive: boolean
  joinDate?: string | null
  allCompanies: boolean
  companyIds: string[]
  metadata: string
}

interface UserFormProps {
  /** null: somebody new, who is invited. */
  user: TenantUser | null
  version: string | null
  onClose: () => void
  onReload?: () => void
}

export function UserForm({ user, version, onClose, onReload }: UserFormProps) {
  const { t } = useTranslation()
  const [form] = Form.useForm<Values>()
  const company = useCompany()
  const required = { required: true, message: t('validation.required') }
  return (
    <VersionedForm
      form={form}
      id={user?.id ?? null}
      version={version}
      initialValues={initialValues(user, company?.id)}
      save={useSaveUser()}
      fieldsOf={fieldsToSend}
      onClose={onClose}
      onReload={onReload}
    >
      <div className="side-by-side">
        <Form.Item name="fullName" label={t('users.fullName')} rules={[{ ...required, whitespace: true }]}>
          <Input maxLength={200} autoComplete="off" />
        </Form.Item>
        <Form.Item
          name="email"
          label={t('signIn.email')}
          rules={[required, { type: 'email', message: t('validation.email') }]}
        >
          <Input type="email" maxLength={254} dir="ltr" autoComplete="off" />
        </Form.Item>
        <Form.Item name="phone" label={t('users.phone')}>
          <Input type="tel" maxLength={40} dir="ltr" autoComplete="off" />
        </Form.Item>
        <Form.Item name="roleId" label={t('users.role')} rules={[required]}>
          <RoleSelect current={user} />
        </Form.Item>
        <Form.Item name="joinDate" label={t('users.joinDate')}>
          <DateInput />
        </Form.Item>
        <Form.Item name="isActive" label={t('fields.isActive')} valuePropName="checked">
          <Switch />
        </Form.Item>
      </div>
      <CompanyFields />
      <Form.Item
        name="metadata"
        label={t('users.metadata')}
        extra={t('users.metadataHint')}
        rules={[{ validator: async (_, text: string) => void parsed(text, t('users.metadataWrong')) }]}
      >
        <Input.TextArea rows={3} dir="ltr" spellCheck={false} className="ltr" />
      </Form.Item>
    </VersionedForm>
  )
}

/** `current`: who has one already. */
export function RoleSelect({ current, ...given }: { current: TenantUser | null }) {
  const can = useCan()
  const { t } = useTranslation()
  const roles = useQuery(roleChoicesQuery(can('roles:view')))
  const active = (roles.data?.roles ?? []).filter(({ isActive, id }) => isActive || id === current?.roleId)
  const options = active.map(({ id, name }) => ({ value: id, label: name }))
  // Whoever may not see the roles sees the one there is.
  const known = options.length > 0 || !current ? options : [{ value: current.roleId, label: current.role }]
  return (
    <Select
      {...given}
      options={known}
      loading={roles.isFetching}
      showSearch={{ optionFilterProp: 'label' }}
      placeholder={t('users.roleChoose')}
    />
  )
}

function CompanyFields() {
  const { t } = useTranslation()
  const can = useCan()
  const companies = useQuery(companiesQuery(can('companies:view')))
  const worksInAll = Form.useWatch<boolean | undefined>('allCompanies')
  const options = (companies.data?.companies ?? []).map(({ id, code, name }) => ({
    value: id,
    label: `${name} (${code})`,
  }))
  return (
    <div className="side-by-side">
      <Form.Item
        name="allCompanies"
        label={t('users.allCompanies')}
        extra={t('users.allCompaniesHint')}
        valuePropName="checked"
      >
        <Switch />
      </Form.Item>
      <Form.Item
        name="companyIds"
        label={t('users.companies')}
        rules={
          worksInAll ? [] : [{ required: true, type: 'array', min: 1, message: t('users.companyNeeded') }]
        }
        hidden={worksInAll === true}
      >
        <Select
          mode="multiple"
          options={options}
          loading={companies.isFetching}
          showSearch={{ optionFilterProp: 'label' }}
        />
      </Form.Item>
    </div>
  )
}

function initialValues(user: TenantUser | null, companyId: string | undefined): Values {
  if (!user) {
    const companyIds = companyId === undefined ? [] : [companyId]
    return { fullName: '', email: '', roleId: undefined as never, isActive: true, allCompanies: false, companyIds, metadata: '' } // prettier-ignore
  }
  const { fullName, email, phone, roleId, status, joinDate, allCompanies, companyIds, metadata } = user
  const isEmpty = Object.keys(metadata).length === 0
  return {
    fullName,
    email,
    phone,
    roleId,
    isActive: status === 'active',
    joinDate,
    allCompanies,
    companyIds,
    metadata: isEmpty ? '' : JSON.stringify(metadata, null, 2),
  }
}

function fieldsToSend({ isActive, companyIds, metadata, phone, joinDate, ...values }: Values) {
  return {
    ...values,
    phone: phone?.trim() || null,
    joinDate: joinDate || null,
    status: isActive ? ('active' as const) : ('inactive' as const),
    ...(values.allCompanies ? {} : { companyIds }),
    metadata: parsed(metadata, ''),
  }
}

/** Whatever the tenant keeps with its people: a JSON object, or nothing. */
function parsed(text: string, complaint: string): Record<string, unknown> {
  if (text.trim() === '') return {}
  const value = read(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Error(complaint)
}

function read(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
