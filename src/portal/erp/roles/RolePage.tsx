import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Alert, App, Button, Card, Form, Input, Switch, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Role } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { VersionedForm } from '../../shared/VersionedForm.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan } from '../useCompany.ts'
import { EVERYTHING } from './patterns.ts'
import { PermissionGrid } from './PermissionGrid.tsx'
import { permissionsQuery, roleQuery, useDeleteRole, useSaveRole } from './queries.ts'

const route = getRouteApi('/_erp/settings/roles/$roleId')

export function RolePage() {
  const { roleId } = route.useParams()
  const { t } = useTranslation()
  return roleId === 'new' ? (
    <RoleEditor title={t('roles.create')} role={null} version={null} />
  ) : (
    <ExistingRole key={roleId} roleId={roleId} />
  )
}

function ExistingRole({ roleId }: { roleId: string }) {
  const found = useQuery(roleQuery(roleId))
  if (!found.isSuccess) return <QueryState query={found} />
  const { data: role, version } = found.data
  return (
    <RoleEditor
      key={version}
      title={role.name}
      role={role}
      version={version}
      onReload={() => void found.refetch()}
    />
  )
}

interface Values {
  name: string
  description: string | null
  permissions: string[]
  discountPercentMaximum: string | null
  discountAmountMaximum: string | null
  isActive: boolean
}

interface RoleEditorProps {
  title: string
  role: Role | null
  version: string | null
  onReload?: () => void
}

function RoleEditor({ title, role, version, onReload }: RoleEditorProps) {
  const { t } = useTranslation()
  const can = useCan()
  const navigate = useNavigate()
  const [form] = Form.useForm<Values>()
  const save = useSaveRole()
  const toList = () => void navigate({ to: '/settings/roles' })
  // The server keeps the Administrator role as it is.
  const isFixed = role !== null && role.isBuiltIn && role.permissions.includes(EVERYTHING)
  const isReadOnly = isFixed || !can(role === null ? 'roles:add' : 'roles:edit')
  return (
    <>
      <PageHeader
        title={title}
        tag={role?.isBuiltIn && <Tag>{t('roles.builtIn')}</Tag>}
        actions={role && <RoleActions role={role} onDeleted={toList} />}
        onBack={toList}
      />
      {isFixed && <Alert type="info" showIcon title={t('roles.fixed')} style={{ marginBlockEnd: 16 }} />}
      <Card>
        {isReadOnly ? (
          <Form form={form} layout="vertical" disabled initialValues={initialValues(role)}>
            <Fields isReadOnly />
          </Form>
        ) : (
          <VersionedForm
            form={form}
            id={role?.id ?? null}
            version={version}
            initialValues={initialValues(role)}
            save={save}
            fieldsOf={fieldsToSend}
            onClose={toList}
            onReload={onReload}
          >
            <Fields isReadOnly={false} />
          </VersionedForm>
        )}
      </Card>
    </>
  )
}

function Fields({ isReadOnly }: { isReadOnly: boolean }) {
  const { t } = useTranslation()
  const matrix = useQuery(permissionsQuery())
  return (
    <>
      <div className="side-by-side">
        <Form.Item
          name="name"
          label={t('fields.name')}
          rules={[{ required: true, whitespace: true, message: t('validation.required') }]}
        >
          <Input maxLength={100} />
        </Form.Item>
        <Form.Item name="description" label={t('fields.description')}>
          <Input maxLength={1_000} />
        </Form.Item>
        <Form.Item
          name="discountPercentMaximum"
          label={t('roles.discountPercent')}
          extra={t('roles.discountHint')}
        >
          {/* Text, so that no digit is lost on the way to the server. */}
          <Input inputMode="decimal" dir="ltr" suffix="%" placeholder={t('roles.unlimited')} />
        </Form.Item>
        <Form.Item
          name="discountAmountMaximum"
          label={t('roles.discountAmount')}
          extra={t('roles.discountHint')}
        >
          <Input inputMode="decimal" dir="ltr" placeholder={t('roles.unlimited')} />
        </Form.Item>
        <Form.Item name="isActive" label={t('fields.isActive')} valuePropName="checked">
          <Switch />
        </Form.Item>
      </div>
      {matrix.isSuccess ? (
        <Form.Item name="permissions" label={t('roles.permissions')} extra={t('roles.permissionsHint')}>
          <PermissionGrid modules={matrix.data.modules} isReadOnly={isReadOnly} />
        </Form.Item>
      ) : (
        <QueryState query={matrix} />
      )}
    </>
  )
}

function initialValues(role: Role | null): Values {
  if (!role) {
    return {
      name: '',
      description: null,
      permissions: [],
      discountPercentMaximum: '0',
      discountAmountMaximum: '0',
      isActive: true,
    }
  }
  const { name, description, permissions, discountPercentMaximum, discountAmountMaximum, isActive } = role
  return { name, description, permissions, discountPercentMaximum, discountAmountMaximum, isActive }
}

/** An empty limit is none at all. */
function fieldsToSend(values: Values): Values {
  const limit = (text: string | null) => text?.trim() || null
  return {
    ...values,
    description: values.description?.trim() || null,
    discountPercentMaximum: limit(values.discountPercentMaximum),
    discountAmountMaximum: limit(values.discountAmountMaximum),
  }
}

function RoleActions({ role, onDeleted }: { role: Role; onDeleted: () => void }) {
  const { t } = useTranslation()
  const can = useCan()
  const { modal } = App.useApp()
  const tellProblem = useTellProblem()
  const remove = useDeleteRole()
  const ask = () =>
    modal.confirm({
      title: t('roles.deleteTitle', { name: role.name }),
      okText: t('actions.delete'),
      okButtonProps: { danger: true },
      onOk: () => remove.mutateAsync(role.id).then(onDeleted, tellProblem),
    })
  return (
    <>
      {can('users:view') && (
        <Link to="/settings/users" search={{ roleId: role.id }}>
          {t('roles.usersWithIt', { number: role.userCount })}
        </Link>
      )}
      {can('roles:delete') && !role.isBuiltIn && (
        <Button danger onClick={ask}>
          {t('actions.delete')}
        </Button>
      )}
    </>
  )
}
