import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'

/** Twice, so that nobody is shut out by a slip of the hand. */
export function NewPasswordFields({ name, autoFocus = false }: { name: string; autoFocus?: boolean }) {
  const { t } = useTranslation()
  const required = { required: true, message: t('validation.required') }
  return (
    <>
      <Form.Item
        name={name}
        label={t('setPassword.newPassword')}
        extra={t('validation.password')}
        rules={[required, { min: 8, message: t('validation.password') }]}
      >
        <Input.Password autoComplete="new-password" maxLength={72} dir="ltr" autoFocus={autoFocus} />
      </Form.Item>
      <Form.Item
        name="repeated"
        label={t('setPassword.repeat')}
        dependencies={[name]}
        rules={[
          required,
          ({ getFieldValue }) => ({
            validator: async (_, repeated) => {
              if (repeated && repeated !== getFieldValue(name)) throw new Error(t('setPassword.differs'))
            },
          }),
        ]}
      >
        <Input.Password autoComplete="new-password" maxLength={72} dir="ltr" />
      </Form.Item>
    </>
  )
}
