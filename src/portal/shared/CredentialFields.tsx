import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'

export function CredentialFields({ autoFocus }: { autoFocus: boolean }) {
  const { t } = useTranslation()
  const required = { required: true, message: t('validation.required') }
  return (
    <>
      <Form.Item name="email" label={t('signIn.email')} rules={[required]}>
        <Input type="email" autoComplete="username" dir="ltr" autoFocus={autoFocus} />
      </Form.Item>
      <Form.Item name="password" label={t('signIn.password')} rules={[required]}>
        <Input.Password autoComplete="current-password" dir="ltr" />
      </Form.Item>
    </>
  )
}
