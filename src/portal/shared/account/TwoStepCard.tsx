import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Button, Card, Flex, Form, Input, Modal, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../ActionDialog.tsx'
import { QueryState } from '../states.tsx'
import { CodeField } from './CodeField.tsx'
import { Enrolment } from './Enrolment.tsx'
import { RecoveryCodes } from './RecoveryCodes.tsx'
import type { AccountSide } from './sides.ts'

type Step = 'none' | 'enrol' | 'renew' | 'remove'

export function TwoStepCard({ side }: { side: AccountSide }) {
  const { t } = useTranslation()
  const [step, setStep] = useState<Step>('none')
  const queryClient = useQueryClient()
  const queryKey = ['account', side.name, 'me']
  const me = useQuery({ queryKey, queryFn: () => side.me() })
  const close = () => {
    setStep('none')
    void queryClient.invalidateQueries({ queryKey })
  }
  if (!me.isSuccess) return <QueryState query={me} />
  const { isOn, isRequired, recoveryCodesLeft } = me.data.secondFactor
  return (
    <Card
      title={t('account.twoStep')}
      extra={<Tag color={isOn ? 'success' : 'default'}>{isOn ? t('account.on') : t('account.off')}</Tag>}
    >
      <Typography.Paragraph>{t('account.twoStepHint')}</Typography.Paragraph>
      {isRequired && <Typography.Paragraph type="secondary">{t('account.required')}</Typography.Paragraph>}
      {isOn && (
        <Typography.Paragraph type={recoveryCodesLeft < 3 ? 'warning' : 'secondary'}>
          {t('account.codesLeft', { count: recoveryCodesLeft })}
        </Typography.Paragraph>
      )}
      {isOn ? (
        <Flex gap={8} wrap>
          <Button onClick={() => setStep('renew')}>{t('account.renewCodes')}</Button>
          <Button danger onClick={() => setStep('remove')}>
            {t('account.turnOff')}
          </Button>
        </Flex>
      ) : (
        <Button type="primary" onClick={() => setStep('enrol')}>
          {t('account.setUp')}
        </Button>
      )}
      {step === 'enrol' && (
        <Modal open title={t('account.setUp')} footer={null} closable={false} keyboard={false}>
          <Enrolment side={side} onDone={close} onCancel={close} />
        </Modal>
      )}
      {step === 'renew' && <RenewDialog side={side} onClose={close} />}
      {step === 'remove' && <RemoveDialog side={side} isRequired={isRequired} onClose={close} />}
    </Card>
  )
}

function RenewDialog({ side, onClose }: { side: AccountSide; onClose: () => void }) {
  const { t } = useTranslation()
  const [codes, setCodes] = useState<readonly string[]>([])
  const renew = useMutation({ mutationFn: ({ code }: { code: string }) => side.renewRecoveryCodes(code) })
  if (codes.length > 0) {
    return (
      <Modal open title={t('account.renewCodes')} footer={null} closable={false} keyboard={false}>
        <RecoveryCodes codes={codes} onDone={onClose} />
      </Modal>
    )
  }
  return (
    <ActionDialog<{ code: string }>
      title={t('account.renewCodes')}
      okText={t('account.renewCodes')}
      consequence={t('account.renewConsequence')}
      isPending={renew.isPending}
      onSubmit={(answers, { onError }) => renew.mutate(answers, { onError, onSuccess: setCodes })}
      onClose={onClose}
    >
      <CodeField name="code" />
    </ActionDialog>
  )
}

interface RemoveDialogProps {
  side: AccountSide
  isRequired: boolean
  onClose: () => void
}

function RemoveDialog({ side, isRequired, onClose }: RemoveDialogProps) {
  const { t } = useTranslation()
  const remove = useMutation({
    mutationFn: (answers: { password: string; code: string }) => side.removeSecondFactor(answers),
  })
  return (
    <ActionDialog<{ password: string; code: string }>
      title={t('account.turnOff')}
      okText={t('account.turnOff')}
      consequence={isRequired ? t('account.turnOffRequired') : t('account.turnOffConsequence')}
      isDangerous
      isPending={remove.isPending}
      onSubmit={(answers, handlers) => remove.mutate(answers, handlers)}
      doneText={t('account.turnedOff')}
      onClose={onClose}
    >
      <Form.Item
        name="password"
        label={t('account.currentPassword')}
        rules={[{ required: true, message: t('validation.required') }]}
      >
        <Input.Password autoComplete="current-password" maxLength={200} dir="ltr" />
      </Form.Item>
      <CodeField name="code" />
    </ActionDialog>
  )
}
