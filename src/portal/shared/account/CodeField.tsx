import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'

/** A code of the authenticator app; or, where that is lost, a recovery code. */
export function CodeField({ name, onlyApp = false }: { name: string; onlyApp?: boolean }) {
  const { t } = useTranslation()
  return (
    <Form.Item
      name={name}
      label={t('account.code')}
      extra={onlyApp ? t('account.codeHint') : t('account.codeOrRecoveryHint')}
      rules={[{ required: true, min: 6, message: t('account.codeHint') }]}
    >
      <Input
        autoComplete="one-time-code"
        inputMode={onlyApp ? 'numeric' : 'text'}
        maxLength={40}
        dir="ltr"
        autoFocus
      />
    </Form.Item>
  )
}
