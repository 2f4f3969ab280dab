import { CheckOutlined, CopyOutlined, DownloadOutlined } from '@ant-design/icons'
import { useState } from 'react'
import { Alert, Button, Flex } from 'antd'
import { useTranslation } from 'react-i18next'
import { productName } from '../Brand.tsx'

/** Shown this once: copied or saved before anything else is done. */
export function RecoveryCodes({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  const { t } = useTranslation()
  const [isCopied, setIsCopied] = useState(false)
  const text = `${codes.join('\n')}\n`

  async function copy() {
    await navigator.clipboard.writeText(text)
    setIsCopied(true)
  }

  function download() {
    const address = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
    const link = document.createElement('a')
    link.href = address
    link.download = `${productName.toLowerCase().replaceAll(/\W+/g, '-')}-recovery-codes.txt`
    link.click()
    URL.revokeObjectURL(address)
  }

  return (
    <>
      <Alert
        type="warning"
        showIcon
        title={t('account.recoveryTitle')}
        description={t('account.recoveryHint')}
      />
      <ul className="recovery-codes ltr" aria-label={t('account.recoveryCodes')}>
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <Flex gap={8} wrap>
        {'clipboard' in navigator && (
          <Button icon={isCopied ? <CheckOutlined /> : <CopyOutlined />} onClick={() => void copy()}>
            {isCopied ? t('account.copied') : t('account.copy')}
          </Button>
        )}
        <Button icon={<DownloadOutlined />} onClick={download}>
          {t('account.download')}
        </Button>
        <Button type="primary" onClick={onDone}>
          {t('account.kept')}
        </Button>
      </Flex>
    </>
  )
}
