import { Form, Input, Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Period } from '../../shared/model.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useReopenPeriod } from './queries.ts'

export function ReopenDialog({ period, onClose }: { period: Period; onClose: () => void }) {
  const { t } = useTranslation()
  const [form] = Form.useForm<{ reason: string }>()
  const formProblem = useFormProblem(form)
  const reopen = useReopenPeriod()

  function submit({ reason }: { reason: string }) {
    formProblem.clear()
    reopen.mutate({ id: period.id, reason }, { onError: formProblem.show, onSuccess: onClose })
  }

  return (
    <Modal
      open
      title={t('fiscal.reopenPeriod', { name: period.name })}
      okText={t('fiscal.reopen')}
      okButtonProps={{ loading: reopen.isPending }}
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
