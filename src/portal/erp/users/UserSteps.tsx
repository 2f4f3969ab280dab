import { useState } from 'react'
import { App, Button, Form, Space } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import type { TenantUser } from '../../shared/model.ts'
import { problemOf } from '../../shared/problem.ts'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan, useUser } from '../useCompany.ts'
import { useRestoreUser, useUserStep, type UserStep } from './queries.ts'
import { RoleSelect } from './UserForm.tsx'

/** What each needs, besides the state that it makes sense in. */
const permissions: Readonly<Record<UserStep, string>> = {
  activate: 'users:edit',
  deactivate: 'users:edit',
  delete: 'users:delete',
  restore: 'users:delete',
  reset: 'users:edit',
  invite: 'users:add',
  signOut: 'users:edit',
}
const dangerous: ReadonlySet<UserStep> = new Set(['deactivate', 'delete'])

function offered(user: TenantUser, isSelf: boolean): UserStep[] {
  if (user.deletedAt !== null) return ['restore']
  if (user.status === 'inactive') return ['activate', ...(isSelf ? [] : (['delete'] as const))]
  const link: UserStep = user.isInvited ? 'invite' : 'reset'
  // Whoever removes themselves has no way back.
  return isSelf ? [] : [link, 'deactivate', 'delete']
}

interface UserStepButtonsProps {
  user: TenantUser
  onDone?: (step: UserStep) => void
}

export function UserStepButtons({ user, onDone }: UserStepButtonsProps) {
  const { t } = useTranslation()
  const can = useCan()
  const isSelf = useUser()?.id === user.id
  const { message, modal } = App.useApp()
  const tellProblem = useTellProblem()
  const change = useUserStep()
  const [isRoleGone, setRoleGone] = useState(false)
  const ask = (step: UserStep) =>
    modal.confirm({
      title: t(`userSteps.${step}`),
      content: t(`userStepConsequences.${step}`, { name: user.fullName, email: user.email }),
      okText: t(`userSteps.${step}`),
      okButtonProps: { danger: dangerous.has(step) },
      onOk: () =>
        change.mutateAsync({ id: user.id, step }).then(
          () => {
            void message.success(t(`userStepsDone.${step}`))
            onDone?.(step)
          },
          (thrown: unknown) => {
            const problem = problemOf(thrown)
            if (problem.code === 'ROLE_GONE') setRoleGone(true)
            else tellProblem(thrown)
          },
        ),
    })
  return (
    <Space wrap>
      {offered(user, isSelf)
        .filter((step) => can(permissions[step]))
        .map((step) => (
          <Button key={step} danger={dangerous.has(step)} onClick={() => ask(step)}>
            {t(`userSteps.${step}`)}
          </Button>
        ))}
      {isRoleGone && (
        <RestoreDialog user={user} onDone={() => onDone?.('restore')} onClose={() => setRoleGone(false)} />
      )}
    </Space>
  )
}

interface RestoreDialogProps {
  user: TenantUser
  onDone: () => void
  onClose: () => void
}

/** The role of before was deleted meanwhile. */
function RestoreDialog({ user, onDone, onClose }: RestoreDialogProps) {
  const { t } = useTranslation()
  const restore = useRestoreUser()
  return (
    <ActionDialog<{ roleId: string }>
      title={t('userSteps.restore')}
      okText={t('userSteps.restore')}
      consequence={t('users.roleGone', { name: user.fullName, role: user.role })}
      isPending={restore.isPending}
      onSubmit={({ roleId }, { onError, onSuccess }) =>
        restore.mutate(
          { id: user.id, roleId },
          {
            onError,
            onSuccess: () => {
              onSuccess()
              onDone()
            },
          },
        )
      }
      doneText={t('userStepsDone.restore')}
      onClose={onClose}
    >
      <Form.Item
        name="roleId"
        label={t('users.role')}
        rules={[{ required: true, message: t('validation.required') }]}
      >
        <RoleSelect current={null} />
      </Form.Item>
    </ActionDialog>
  )
}
