import { useEffect, useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Alert, Spin } from 'antd'
import { useTranslation } from 'react-i18next'
import { anonymousApi, read, tenantHeader } from '../../shared/client.ts'
import { erpSession, signedIn } from '../../shared/session.ts'
import { SignInFrame } from '../../shared/SignInFrame.tsx'
import { ProblemAlert } from '../../shared/states.tsx'
import { useGoOn } from '../../shared/useGoOn.ts'
import { takeJourney, type Journey } from './journey.ts'

/** Taken once, before anything is drawn: React draws twice while developing, and the way back is good once. */
let arrival: { journey: Journey | null; parameters: URLSearchParams } | null = null

export function ReturnPage() {
  const { t } = useTranslation()
  const [{ journey, parameters }] = useState(
    () => (arrival ??= { journey: takeJourney(), parameters: new URLSearchParams(window.location.search) }),
  )
  const error = useFinish(journey, parameters)
  return (
    <SignInFrame title={t('signIn.title')} subtitle={t('signIn.erpSubtitle')}>
      {journey === null && <Alert type="error" showIcon title={t('singleSignOn.incomplete')} />}
      <ProblemAlert error={error} />
      {journey !== null && !error ? (
        <Spin description={t('singleSignOn.signingIn')}>
          <div style={{ minHeight: 96 }} />
        </Spin>
      ) : (
        <p>
          <Link to="/sign-in" search={journey?.tenantCode ? { tenant: journey.tenantCode } : {}}>
            {t('singleSignOn.again')}
          </Link>
        </p>
      )}
    </SignInFrame>
  )
}

function useFinish(journey: Journey | null, parameters: URLSearchParams): Error | null {
  const goOn = useGoOn('/')
  const finished = useQuery({
    queryKey: ['single-sign-on', 'finish', journey?.browserKey],
    queryFn: () => finish(journey as Journey, parameters),
    enabled: journey !== null,
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const session = finished.data
  useEffect(() => {
    if (!session) return
    arrival = null
    signedIn(
      erpSession,
      { token: session.token, refreshToken: session.refreshToken, person: session.user },
      session.user.tenantCode,
    )
    goOn(journey?.next ?? undefined)
    // oxlint-disable-next-line react/exhaustive-deps -- once, when the session is there
  }, [session])
  return finished.error
}

function finish({ browserKey, tenantCode }: Journey, parameters: URLSearchParams) {
  const given = (name: string, field: string) => {
    const value = parameters.get(name)
    return value === null ? {} : { [field]: value }
  }
  return read(
    anonymousApi.POST('/auth/single-sign-on/finish', {
      body: {
        browserKey,
        state: parameters.get('state') ?? '',
        ...given('code', 'code'),
        ...given('iss', 'iss'),
        ...given('error', 'error'),
        ...given('error_description', 'errorDescription'),
      },
      headers: tenantHeader(tenantCode),
    }),
  )
}
