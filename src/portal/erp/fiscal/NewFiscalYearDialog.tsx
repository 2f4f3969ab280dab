import { Form, Input, Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import type { FiscalYear } from '../../shared/model.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useCreateFiscalYear, type NewFiscalYear } from './queries.ts'

export function NewFiscalYearDialog({ years, onClose }: { years: FiscalYear[]; onClose: () => void }) {
  const { t } = useTranslation()
  const [form] = Form.useForm<NewFiscalYear>()
  const formProblem = useFormProblem(form)
  const create = useCreateFiscalYear()
  const required = { required: true, message: t('validation.required') }

  function submit(values: NewFiscalYear) {
    formProblem.clear()
    create.mutate(values, { onError: formProblem.show, onSuccess: onClose })
  }

  return (
    <Modal
      open
      title={t('fiscal.create')}
      okText={t('actions.create')}
      okButtonProps={{ loading: create.isPending }}
      onOk={form.submit}
      onCancel={onClose}
    >
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form form={form} layout="vertical" initialValues={yearAfter(years)} onFinish={submit}>
        <Form.Item name="name" label={t('fields.name')} rules={[required]}>
          <Input maxLength={40} autoFocus />
        </Form.Item>
        <Form.Item name="startDate" label={t('fields.from')} rules={[required]}>
          <DateInput />
        </Form.Item>
        <Form.Item name="endDate" label={t('fields.to')} rules={[required]}>
          <DateInput />
        </Form.Item>
      </Form>
    </Modal>
  )
}

/** Proposes the twelve months that follow the last year there is. */
function yearAfter(years: FiscalYear[]): Partial<NewFiscalYear> {
  const lastEnd = years
    .map(({ endDate }) => endDate)
    .sort()
    .at(-1)
  if (!lastEnd) {
    const year = String(new Date().getFullYear())
    return { name: `FY ${year}`, startDate: `${year}-01-01`, endDate: `${year}-12-31` }
  }
  const start = new Date(`${lastEnd}T00:00:00Z`)
  start.setUTCDate(start.getUTCDate() + 1)
  const end = new Date(start)
  end.setUTCFullYear(end.getUTCFullYear() + 1)
  end.setUTCDate(end.getUTCDate() - 1)
  const [startDate, endDate] = [start, end].map((day) => day.toISOString().slice(0, 10)) as [string, string]
  return { name: `FY ${endDate.slice(0, 4)}`, startDate, endDate }
}
