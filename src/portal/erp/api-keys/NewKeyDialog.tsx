import { Checkbox, Form, Input, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useCompany, useUser } from '../useCompany.ts'
import { useMakeKey } from './queries.ts'
import { ScopeGrid } from './ScopeGrid.tsx'
import type { ShownSecret } from './SecretDialog.tsx'

interface Answers {
  name: string
  scopes: string[]
  allCompanies: boolean
  companyIds: string[]
  /** '': never. */
  lifeDays: '' | '30' | '90' | '365'
  allowedAddresses: string[]
}

const DAY_MS = 86_400_000
const lives = { '': 'never', '30': 'days30', '90': 'days90', '365': 'days365' } as const

export function NewKeyDialog({
  onMade,
  onClose,
}: {
  onMade: (made: ShownSecret) => void
  onClose: () => void
}) {
  const { t } = useTranslation()
  const user = useUser()
  const company = useCompany()
  const make = useMakeKey()
  const required = { required: true, message: t('validation.required') }
  return (
    <ActionDialog<Answers>
      title={t('apiKeys.create')}
      okText={t('actions.create')}
      isPending={make.isPending}
      initialValues={{
        scopes: [],
        allCompanies: false,
        companyIds: company ? [company.id] : [],
        lifeDays: '90',
        allowedAddresses: [],
      }}
      onSubmit={({ lifeDays, allCompanies, companyIds, ...answers }, handlers) =>
        make.mutate(
          {
            ...answers,
            ...(allCompanies ? { allCompanies } : { companyIds }),
            expiresAt:
              lifeDays === '' ? null : new Date(Date.now() + Number(lifeDays) * DAY_MS).toISOString(),
          },
          {
            onError: handlers.onError,
            onSuccess: ({ apiKey, secret }) => {
              handlers.onSuccess()
              onMade({ title: t('apiKeys.made'), secret, clientId: apiKey.id })
            },
          },
        )
      }
      onClose={onClose}
    >
      <Form.Item name="name" label={t('fields.name')} rules={[required]}>
        <Input maxLength={100} autoFocus />
      </Form.Item>
      <Form.Item
        name="scopes"
        label={t('apiKeys.scopes')}
        extra={t('apiKeys.scopesHint')}
        rules={[{ type: 'array', min: 1, message: t('apiKeys.scopesNeeded') }]}
      >
        <ScopeGrid permissions={user?.permissions ?? []} />
      </Form.Item>
      <Form.Item label={t('apiKeys.companies')} required>
        <Form.Item name="allCompanies" valuePropName="checked" noStyle>
          <Checkbox>{t('apiKeys.allCompanies')}</Checkbox>
        </Form.Item>
        <Form.Item noStyle dependencies={['allCompanies']}>
          {({ getFieldValue }) =>
            getFieldValue('allCompanies') !== true && (
              <Form.Item name="companyIds" rules={[required]} noStyle>
                <Select
                  mode="multiple"
                  aria-label={t('apiKeys.companies')}
                  options={user?.companies.map(({ id, name }) => ({ value: id, label: name })) ?? []}
                />
              </Form.Item>
            )
          }
        </Form.Item>
      </Form.Item>
      <Form.Item name="lifeDays" label={t('apiKeys.expiresAt')}>
        <Select
          options={Object.entries(lives).map(([value, life]) => ({ value, label: t(`apiKeys.${life}`) }))}
        />
      </Form.Item>
      <AddressesField />
    </ActionDialog>
  )
}

export function AddressesField() {
  const { t } = useTranslation()
  return (
    <Form.Item name="allowedAddresses" label={t('apiKeys.addresses')} extra={t('apiKeys.addressesHint')}>
      <Select mode="tags" maxCount={20} open={false} suffixIcon={null} tokenSeparators={[',', ' ']} />
    </Form.Item>
  )
}
