import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { SetPassword } from '../shared/account/SetPassword.tsx'
import { anonymousApi, read } from '../shared/client.ts'

const route = getRouteApi('/operator/set-password')

export function OperatorSetPassword() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <SetPassword
      subtitle={t('signIn.operatorSubtitle')}
      token={route.useSearch().token}
      save={(token, { password }) =>
        read(anonymousApi.POST('/platform/auth/reset-password', { body: { token, password } }))
      }
      onDone={() => void navigate({ to: '/operator/sign-in' })}
    />
  )
}
