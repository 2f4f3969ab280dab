import { App, Form, Input, Modal } from 'antd'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import { today } from '../../shared/formats.ts'
import type { JournalEntry, NewReversal } from '../../shared/model.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { useReverseEntry } from './queries.ts'

export function ReversalDialog({ entry, onClose }: { entry: JournalEntry; onClose: () => void }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const navigate = useNavigate()
  const [form] = Form.useForm<NewReversal>()
  const formProblem = useFormProblem(form)
  const submission = useSubmissionKey()
  const reverse = useReverseEntry()
  const required = { required: true, message: t('validation.required') }

  function submit(body: NewReversal) {
    formProblem.clear()
    reverse.mutate(
      { id: entry.id, body, submissionKey: submission.keyFor(body) },
      {
        onError: formProblem.show,
        onSuccess: (reversal) => {
          void message.success(t('journals.reversed', { number: reversal.number ?? '' }))
          onClose()
          void navigate({ to: '/journal-entries/$entryId', params: { entryId: reversal.id } })
        },
      },
    )
  }

  return (
    <Modal
      open
      title={t('journals.reverseTitle', { number: entry.number ?? '' })}
      okText={t('journals.reverse')}
      okButtonProps={{ loading: reverse.isPending }}
      onOk={form.submit}
      onCancel={onClose}
    >
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" initialValues={{ transactionDate: today() }} onFinish={submit}>
        <Form.Item
          name="transactionDate"
          label={t('journals.reversalDate')}
          extra={t('journals.reversalDateHint')}
          rules={[required]}
        >
          <DateInput />
        </Form.Item>
        <Form.Item name="reason" label={t('fields.reason')} rules={[required]}>
          <Input.TextArea rows={2} maxLength={500} autoFocus />
        </Form.Item>
      </Form>
    </Modal>
  )
}
