import { Form, Input, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import type { NewOperator, OperatorChange, OperatorPerson } from '../../shared/model.ts'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { useDeleteOperator, useInviteOperator, useResetSecondFactor, useUpdateOperator } from './queries.ts'
import { operatorRoles } from './roles.ts'

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const invite = useInviteOperator()
  const submission = useSubmissionKey()
  return (
    <ActionDialog<NewOperator>
      title={t('operators.invite')}
      okText={t('operators.invite')}
      consequence={t('operators.inviteConsequence')}
      isPending={invite.isPending}
      initialValues={{ role: 'read-only' }}
      onSubmit={(body, handlers) => invite.mutate({ body, submissionKey: submission.keyFor(body) }, handlers)}
      doneText={t('operators.invited')}
      onClose={onClose}
    >
      <Form.Item noStyle dependencies={['role']}>
        {({ getFieldValue }) =>
          getFieldValue('role') !== 'read-only' && <ApprovalNotice operation="createOperator" />
        }
      </Form.Item>
      <PersonFields />
    </ActionDialog>
  )
}

export function EditDialog({ operator, onClose }: { operator: OperatorPerson; onClose: () => void }) {
  const { t } = useTranslation()
  const update = useUpdateOperator(operator.id)
  const { fullName, email, role } = operator
  return (
    <ActionDialog<OperatorChange>
      title={t('operators.edit', { name: fullName })}
      okText={t('actions.save')}
      isPending={update.isPending}
      initialValues={{ fullName, email, role }}
      onSubmit={(given, handlers) => update.mutate(changesOf(operator, given), handlers)}
      doneText={t('states.saved')}
      onClose={onClose}
    >
      <Form.Item noStyle dependencies={['email', 'role']}>
        {({ getFieldsValue }) =>
          Object.keys(changesOf(operator, getFieldsValue())).length > 1 && (
            <ApprovalNotice operation="updateOperator" />
          )
        }
      </Form.Item>
      <PersonFields />
    </ActionDialog>
  )
}

export function StatusDialog({ operator, onClose }: { operator: OperatorPerson; onClose: () => void }) {
  const { t } = useTranslation()
  const update = useUpdateOperator(operator.id)
  const isActive = operator.status === 'active'
  return (
    <ActionDialog<object>
      title={t(isActive ? 'operators.deactivateTitle' : 'operators.activateTitle', {
        name: operator.fullName,
      })}
      okText={isActive ? t('actions.deactivate') : t('actions.activate')}
      {...(isActive ? { consequence: t('operators.deactivateConsequence') } : {})}
      isDangerous={isActive}
      isPending={update.isPending}
      onSubmit={(_, handlers) => update.mutate({ status: isActive ? 'inactive' : 'active' }, handlers)}
      doneText={t('states.saved')}
      onClose={onClose}
    >
      {!isActive && <ApprovalNotice operation="updateOperator" />}
    </ActionDialog>
  )
}

/** A name alone needs nobody's approval: what stays as it is, is not sent. */
function changesOf(operator: OperatorPerson, { fullName, email, role }: OperatorChange): OperatorChange {
  return {
    fullName: fullName ?? operator.fullName,
    ...(email === undefined || email === operator.email ? {} : { email }),
    ...(role === undefined || role === operator.role ? {} : { role }),
  }
}

export function DeleteDialog({ operator, onClose }: { operator: OperatorPerson; onClose: () => void }) {
  const { t } = useTranslation()
  const remove = useDeleteOperator(operator.id)
  return (
    <ActionDialog<object>
      title={t('operators.deleteTitle', { name: operator.fullName })}
      okText={t('actions.delete')}
      consequence={t('operators.deleteConsequence')}
      isDangerous
      isPending={remove.isPending}
      onSubmit={(_, handlers) => remove.mutate(undefined, handlers)}
      doneText={t('operators.deleted')}
      onClose={onClose}
    />
  )
}

export function ResetDialog({ operator, onClose }: { operator: OperatorPerson; onClose: () => void }) {
  const { t } = useTranslation()
  const reset = useResetSecondFactor(operator.id)
  return (
    <ActionDialog<object>
      title={t('operators.resetTitle', { name: operator.fullName })}
      okText={t('operators.reset')}
      consequence={t('operators.resetConsequence')}
      isDangerous
      isPending={reset.isPending}
      onSubmit={(_, handlers) => reset.mutate(undefined, handlers)}
      doneText={t('states.saved')}
      onClose={onClose}
    >
      <ApprovalNotice operation="resetOperatorSecondFactor" />
    </ActionDialog>
  )
}

function PersonFields() {
  const { t } = useTranslation()
  const required = { required: true, message: t('validation.required') }
  return (
    <>
      <Form.Item name="fullName" label={t('fields.name')} rules={[required]}>
        <Input maxLength={200} autoComplete="off" autoFocus />
      </Form.Item>
      <Form.Item
        name="email"
        label={t('signIn.email')}
        rules={[required, { type: 'email', message: t('validation.email') }]}
      >
        <Input type="email" maxLength={254} dir="ltr" autoComplete="off" />
      </Form.Item>
      <Form.Item name="role" label={t('operators.role')} extra={t('operators.roleHint')} rules={[required]}>
        <Select options={operatorRoles.map((role) => ({ value: role, label: t(`operatorRoles.${role}`) }))} />
      </Form.Item>
    </>
  )
}
