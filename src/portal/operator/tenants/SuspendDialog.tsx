import { App, Form, Input, Modal, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Tenant } from '../../shared/model.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useSuspendTenant } from './queries.ts'

interface Answers {
  reason: string
  confirm: string
}

export function SuspendDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const [form] = Form.useForm<Answers>()
  const formProblem = useFormProblem(form)
  const suspend = useSuspendTenant(tenant.id)
  // Asked for so that nobody suspends the wrong tenant by a slip of the hand.
  const typedCode = Form.useWatch('confirm', form)

  function submit({ reason }: Answers) {
    formProblem.clear()
    suspend.mutate(
      { reason },
      {
        onError: formProblem.show,
        onSuccess: () => {
          void message.success(t('tenants.suspended'))
          onClose()
        },
      },
    )
  }

  return (
    <Modal
      open
      title={t('tenants.suspendTitle', { name: tenant.companyName })}
      okText={t('tenants.suspend')}
      okButtonProps={{ danger: true, disabled: typedCode !== tenant.tenantCode, loading: suspend.isPending }}
      onOk={form.submit}
      onCancel={onClose}
    >
      <Typography.Paragraph>{t('tenants.suspendConsequence')}</Typography.Paragraph>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" onFinish={submit}>
        <Form.Item
          name="reason"
          label={t('fields.reason')}
          rules={[{ required: true, min: 3, message: t('validation.reason') }]}
        >
          <Input.TextArea rows={2} maxLength={500} autoFocus />
        </Form.Item>
        <Form.Item
          name="confirm"
          label={t('tenants.typeCode', { code: tenant.tenantCode })}
          rules={[{ required: true, message: t('validation.required') }]}
        >
          <Input autoComplete="off" dir="ltr" />
        </Form.Item>
      </Form>
    </Modal>
  )
}
