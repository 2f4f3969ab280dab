/** A form over one row: saved against the version that was read, so that nothing is overwritten unseen. */
import { useState, type ReactNode } from 'react'
import { App, Button, Form, Space, type FormInstance } from 'antd'
import { useTranslation } from 'react-i18next'
import { OutdatedAlert } from './OutdatedAlert.tsx'
import { problemOf } from './problem.ts'
import { ProblemAlert } from './states.tsx'
import { useFormProblem } from './useFormProblem.ts'

interface Save<Fields> {
  isPending: boolean
  mutate: (
    change: { id: string | null; version: string | null; fields: Fields },
    handlers: { onError: (thrown: unknown) => void; onSuccess: () => void },
  ) => void
}

interface VersionedFormProps<Values, Fields> {
  form: FormInstance<Values>
  /** null: a new row. */
  id: string | null
  version: string | null
  initialValues: Values
  save: Save<Fields>
  fieldsOf: (values: Values) => Fields
  onClose: () => void
  onReload?: (() => void) | undefined
  children: ReactNode
}

export function VersionedForm<Values extends object, Fields>(props: VersionedFormProps<Values, Fields>) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const { form, id, version, save } = props
  const formProblem = useFormProblem(form)
  const [isOutdated, setIsOutdated] = useState(false)

  function submit(values: Values) {
    formProblem.clear()
    save.mutate(
      { id, version, fields: props.fieldsOf(values) },
      {
        onError: (thrown) =>
          problemOf(thrown).status === 412 ? setIsOutdated(true) : formProblem.show(thrown),
        onSuccess: () => {
          void message.success(t('states.saved'))
          props.onClose()
        },
      },
    )
  }

  return (
    <Form form={form} layout="vertical" initialValues={props.initialValues} onFinish={submit}>
      {isOutdated && <OutdatedAlert onReload={props.onReload} />}
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      {props.children}
      <Space>
        <Button type="primary" htmlType="submit" loading={save.isPending} disabled={isOutdated}>
          {t('actions.save')}
        </Button>
        <Button onClick={props.onClose}>{t('actions.cancel')}</Button>
      </Space>
    </Form>
  )
}
