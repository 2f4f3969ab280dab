import { useEffect, useState } from 'react'
import { LoginOutlined } from '@ant-design/icons'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Button, Divider, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { isOnTenantAddress } from '../../shared/session.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { keepJourney } from './journey.ts'
import { offerQuery, startSignIn } from './queries.ts'

const PAUSE_MS = 500
const CODE = /^[A-Za-z][A-Za-z0-9_]{1,39}$/

/** Below the form of passwords, where the tenant offers it. */
export function SingleSignOnButton({ tenantCode, next }: { tenantCode: string; next: string | undefined }) {
  const { t } = useTranslation()
  const settled = usePause(tenantCode.trim())
  const code = isOnTenantAddress() ? null : settled
  const offer = useQuery(offerQuery(code, code === null || CODE.test(code)))
  const start = useMutation({
    mutationFn: () => startSignIn(code),
    onSuccess: ({ authorizationUrl, browserKey }) => {
      keepJourney({ browserKey, tenantCode: code, next: next ?? null })
      window.location.assign(authorizationUrl)
    },
  })
  if (!offer.data?.isEnabled) return null
  const { label, isRequired } = offer.data
  return (
    <>
      <Divider plain />
      <ProblemAlert error={start.error} />
      <Button
        block
        icon={<LoginOutlined />}
        loading={start.isPending || start.isSuccess}
        onClick={() => start.mutate()}
      >
        {t('singleSignOn.button', { label })}
      </Button>
      {isRequired && (
        <Typography.Paragraph type="secondary" style={{ marginBlock: '12px 0' }}>
          {t('singleSignOn.requiredHere')}
        </Typography.Paragraph>
      )}
    </>
  )
}

/** The text when the typing pauses. */
function usePause(text: string): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}
