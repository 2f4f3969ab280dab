import { Alert, Button, Form, Modal, Typography } from 'antd'
import { useTranslation } from 'react-i18next'

export interface ShownSecret {
  title: string
  secret: string
  clientId: string
}

/** Not closed by a click beside it: what is in it is shown once. */
export function SecretDialog({ shown, onClose }: { shown: ShownSecret; onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Modal
      open
      title={shown.title}
      closable={false}
      mask={{ closable: false }}
      keyboard={false}
      footer={
        <Button type="primary" onClick={onClose}>
          {t('apiKeys.secretKept')}
        </Button>
      }
    >
      <Alert type="warning" showIcon title={t('apiKeys.secretOnce')} style={{ marginBlockEnd: 16 }} />
      <Form layout="vertical" component="div">
        <Form.Item label={t('apiKeys.secret')}>
          <Copied text={shown.secret} />
        </Form.Item>
        <Form.Item label={t('apiKeys.clientId')}>
          <Copied text={shown.clientId} />
        </Form.Item>
      </Form>
    </Modal>
  )
}

function Copied({ text }: { text: string }) {
  return (
    <Typography.Text code copyable className="ltr" style={{ overflowWrap: 'anywhere' }}>
      {text}
    </Typography.Text>
  )
}
