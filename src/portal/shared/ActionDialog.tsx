/** Asks before something is done: for a reason, for what it needs to know, and for a code typed by hand. */
import type { ReactNode } from 'react'
import { useQueryClient } from '@tanstack/react-query'
import { App, Form, Input, Modal, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { problemOf, WAITS } from './problem.ts'
import { ProblemAlert } from './states.tsx'
import { useFormProblem } from './useFormProblem.ts'

interface Handlers {
  onError: (thrown: unknown) => void
  onSuccess: () => void
}

interface ActionDialogProps<Answers> {
  title: string
  okText: string
  /** What it will do, where that is not plain. */
  consequence?: string
  isDangerous?: boolean
  /** Must be typed, so that nobody does this to the wrong one by a slip of the hand. */
  typedCode?: string
  isPending: boolean
  initialValues?: Partial<Answers>
  /** Takes `useMutation`'s `mutate`. */
  onSubmit: (answers: Answers, handlers: Handlers) => void
  /** Said when it has been done. */
  doneText?: string
  onClose: () => void
  children?: ReactNode
}

export function ActionDialog<Answers extends object>(props: ActionDialogProps<Answers>) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const queryClient = useQueryClient()
  const [form] = Form.useForm<Answers & { confirm: string }>()
  const formProblem = useFormProblem(form)
  const { typedCode, doneText } = props
  const typed = Form.useWatch('confirm', form) as string | undefined

  function submit(answers: Answers) {
    formProblem.clear()
    props.onSubmit(answers, {
      onError: (thrown) => {
        if (problemOf(thrown).code !== WAITS) return formProblem.show(thrown)
        void message.info(t('approvals.waits'))
        void queryClient.invalidateQueries({ queryKey: ['approvals'] })
        props.onClose()
      },
      onSuccess: () => {
        if (doneText !== undefined) void message.success(doneText)
        props.onClose()
      },
    })
  }

  return (
    <Modal
      open
      title={props.title}
      okText={props.okText}
      okButtonProps={{
        danger: props.isDangerous === true,
        disabled: typedCode !== undefined && typed !== typedCode,
        loading: props.isPending,
      }}
      onOk={form.submit}
      onCancel={props.onClose}
    >
      {props.consequence !== undefined && <Typography.Paragraph>{props.consequence}</Typography.Paragraph>}
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form
        form={form}
        // Its fields' ids are its own: the page below may have fields of the same names.
        name="dialog"
        layout="vertical"
        initialValues={props.initialValues as never}
        onFinish={submit as never}
      >
        {props.children}
        {typedCode !== undefined && (
          <Form.Item
            name="confirm"
            label={t('actions.typeCode', { code: typedCode })}
            rules={[{ required: true, message: t('validation.required') }]}
          >
            <Input autoComplete="off" dir="ltr" />
          </Form.Item>
        )}
      </Form>
    </Modal>
  )
}

export function ReasonField() {
  const { t } = useTranslation()
  return (
    <Form.Item
      name="reason"
      label={t('fields.reason')}
      rules={[{ required: true, min: 3, message: t('validation.reason') }]}
    >
      <Input.TextArea rows={2} maxLength={500} autoFocus />
    </Form.Item>
  )
}
