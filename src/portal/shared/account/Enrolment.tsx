import { useState } from 'react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Button, Flex, Form, QRCode, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ProblemAlert, QueryState } from '../states.tsx'
import { useFormProblem } from '../useFormProblem.ts'
import { CodeField } from './CodeField.tsx'
import { RecoveryCodes } from './RecoveryCodes.tsx'
import type { AccountSide } from './sides.ts'

interface EnrolmentProps {
  side: AccountSide
  /** When it is in force and the recovery codes have been kept. */
  onDone: () => void
  onCancel?: () => void
}

/** The secret as a picture and as text, a code made of it, and the recovery codes. */
export function Enrolment({ side, onDone, onCancel }: EnrolmentProps) {
  const { t } = useTranslation()
  const [form] = Form.useForm<{ code: string }>()
  const formProblem = useFormProblem(form)
  const [codes, setCodes] = useState<readonly string[]>([])
  // Begun once: each beginning makes another secret.
  const begun = useQuery({
    queryKey: ['account', side.name, 'enrolment'],
    queryFn: () => side.beginSecondFactor(),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  })
  const confirm = useMutation({
    mutationFn: ({ code }: { code: string }) => side.confirmSecondFactor(code),
    onMutate: formProblem.clear,
    onError: formProblem.show,
    onSuccess: setCodes,
  })
  if (codes.length > 0) return <RecoveryCodes codes={codes} onDone={onDone} />
  if (!begun.isSuccess) return <QueryState query={begun} />
  const { secret, uri } = begun.data
  return (
    <>
      <Typography.Paragraph>{t('account.scan')}</Typography.Paragraph>
      <Flex justify="center">
        {/* Dark on light whatever the theme: many apps read nothing else. */}
        <QRCode value={uri} size={184} color="#000000" bgColor="#ffffff" aria-label={t('account.qrCode')} />
      </Flex>
      <Typography.Paragraph type="secondary" style={{ marginBlockStart: 12 }}>
        {t('account.typeSecret')}{' '}
        <Typography.Text code copyable={{ text: secret }} className="ltr">
          {secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}
        </Typography.Text>
      </Typography.Paragraph>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <Form
        form={form}
        layout="vertical"
        requiredMark={false}
        onFinish={(answers) => confirm.mutate(answers)}
      >
        <CodeField name="code" onlyApp />
        <Flex gap={8}>
          <Button type="primary" htmlType="submit" loading={confirm.isPending}>
            {t('account.turnOn')}
          </Button>
          {onCancel && <Button onClick={onCancel}>{t('actions.cancel')}</Button>}
        </Flex>
      </Form>
    </>
  )
}
