import { useEffect, useRef } from 'react'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Alert } from 'antd'
import { useTranslation } from 'react-i18next'
import { anonymousApi, read } from '../../shared/client.ts'
import { erpSession, signedIn } from '../../shared/session.ts'
import { SignInFrame } from '../../shared/SignInFrame.tsx'
import { LoadingState, ProblemAlert } from '../../shared/states.tsx'

/** Where an operator's browser arrives: it exchanges the code behind the # for a session, and forgets the code. */
export function SupportEntryPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  // Of the first look: the second one, which React takes in development, would find it gone.
  const code = useRef(window.location.hash.slice(1))
  const isAsked = useRef(false)
  const enter = useMutation({
    mutationFn: () => read(anonymousApi.POST('/auth/support-session', { body: { code: code.current } })),
    onSuccess: ({ token, user }) => {
      // There is nothing to renew it with: when its time is over, it is over.
      signedIn(erpSession, { token, refreshToken: '', person: user }, user.tenantCode)
      void navigate({ to: '/', replace: true })
    },
  })
  useEffect(() => {
    if (isAsked.current || code.current === '') return
    isAsked.current = true
    window.history.replaceState(null, '', window.location.pathname)
    enter.mutate()
  }, [enter])
  return (
    <SignInFrame title={t('support.title')} subtitle={t('support.entering')}>
      {code.current === '' && <Alert type="error" showIcon title={t('support.noCode')} />}
      <ProblemAlert error={enter.error} />
      {enter.isPending && <LoadingState />}
    </SignInFrame>
  )
}
