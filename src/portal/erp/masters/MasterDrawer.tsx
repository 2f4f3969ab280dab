import { useQuery } from '@tanstack/react-query'
import { Drawer, Form, Input, InputNumber, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import { today } from '../../shared/formats.ts'
import { QueryState } from '../../shared/states.tsx'
import { VersionedForm } from '../../shared/VersionedForm.tsx'
import { CurrencySelect } from '../CurrencySelect.tsx'
import { masterDefinitions, type MasterDefinition, type MasterField, type MasterRow } from './definitions.ts'
import type { MasterKey } from './keys.ts'
import { masterRowQuery, useSaveMaster } from './queries.ts'

interface MasterDrawerProps {
  masterKey: MasterKey
  id: string | null
  onClose: () => void
}

export function MasterDrawer({ masterKey, id, onClose }: MasterDrawerProps) {
  const { t } = useTranslation()
  const definition = masterDefinitions[masterKey]
  const title = id === null ? t(`masters.${masterKey}.create`) : t(`masters.${masterKey}.edit`)
  return (
    <Drawer open size={440} title={title} onClose={onClose}>
      {id === null ? (
        <MasterForm
          definition={definition}
          id={null}
          version={null}
          values={initialValues(definition)}
          onClose={onClose}
        />
      ) : (
        <ExistingRow definition={definition} id={id} onClose={onClose} />
      )}
    </Drawer>
  )
}

function initialValues({ fields }: MasterDefinition): Record<string, unknown> {
  return Object.fromEntries(
    fields.map((field) => [field.name, field.initial ?? (field.kind === 'date' ? today() : undefined)]),
  )
}

interface ExistingRowProps {
  definition: MasterDefinition
  id: string
  onClose: () => void
}

function ExistingRow({ definition, id, onClose }: ExistingRowProps) {
  const found = useQuery(masterRowQuery(definition, id))
  if (!found.isSuccess) return <QueryState query={found} />
  return (
    <MasterForm
      key={found.data.version}
      definition={definition}
      id={id}
      version={found.data.version}
      values={found.data.row}
      onClose={onClose}
      onReload={() => void found.refetch()}
    />
  )
}

interface MasterFormProps {
  definition: MasterDefinition
  id: string | null
  version: string | null
  values: Record<string, unknown> | MasterRow
  onClose: () => void
  onReload?: () => void
}

function MasterForm({ definition, id, version, values, onClose, onReload }: MasterFormProps) {
  const { t } = useTranslation()
  const [form] = Form.useForm<Record<string, unknown>>()
  return (
    <VersionedForm
      form={form}
      id={id}
      version={version}
      initialValues={values}
      save={useSaveMaster(definition)}
      fieldsOf={(typed) => fieldsToSend(definition, typed, id === null)}
      onClose={onClose}
      onReload={onReload}
    >
      {definition.fields.map((field) => (
        <Form.Item
          key={field.name}
          name={field.name}
          label={t(`masterFields.${field.name}`)}
          {...(field.kind === 'switch' ? { valuePropName: 'checked' } : {})}
          rules={field.isRequired ? [{ required: true, message: t('validation.required') }] : []}
        >
          <FieldInput field={field} disabled={id !== null && field.isFixed === true} />
        </Form.Item>
      ))}
    </VersionedForm>
  )
}

/** An emptied optional field is sent as null; a new row leaves it out, so that the server's default holds. */
function fieldsToSend(
  { fields }: MasterDefinition,
  typed: Record<string, unknown>,
  isNew: boolean,
): Record<string, unknown> {
  return Object.fromEntries(
    fields
      .filter((field) => isNew || !field.isFixed)
      .map((field) => [field.name, typed[field.name] === '' ? null : (typed[field.name] ?? null)] as const)
      .filter(([, value]) => !isNew || value !== null),
  )
}

interface FieldInputProps {
  field: MasterField
  disabled: boolean
  // Given by Form.Item.
  id?: string
  value?: never
  checked?: boolean
  onChange?: (value: unknown) => void
}

function FieldInput({ field, disabled, ...given }: FieldInputProps) {
  const control = { disabled, ...given }
  switch (field.kind) {
    case 'switch':
      return <Switch {...control} />
    case 'date':
      return <DateInput {...control} />
    case 'integer':
      return <InputNumber {...control} precision={0} style={{ width: '100%' }} />
    case 'decimal':
      // Text, so that no digit is lost on the way to the server.
      return <Input {...control} inputMode="decimal" dir="ltr" />
    case 'currency':
      return <CurrencySelect {...control} />
    case 'text':
      return <Input {...control} maxLength={200} />
  }
}
