import { App, Form, Input, Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Tenant } from '../../shared/model.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useActivateTenant } from './queries.ts'

export function ActivateDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const [form] = Form.useForm<{ reason: string }>()
  const formProblem = useFormProblem(form)
  const activate = useActivateTenant(tenant.id)

  function submit(answers: { reason: string }) {
    formProblem.clear()
    activate.mutate(answers, {
      onError: formProblem.show,
      onSuccess: () => {
        void message.success(t('tenants.activated'))
        onClose()
      },
    })
  }

  return (
    <Modal
      open
      title={t('tenants.activateTitle', { name: tenant.companyName })}
      okText={t('tenants.activate')}
      okButtonProps={{ loading: activate.isPending }}
      onOk={form.submit}
      onCancel={onClose}
    >
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" onFinish={submit}>
        <Form.Item
          name="reason"
          label={t('fields.reason')}
          rules={[{ required: true, min: 3, message: t('validation.reason') }]}
        >
          <Input.TextArea rows={2} maxLength={500} autoFocus />
        </Form.Item>
      </Form>
    </Modal>
  )
}
