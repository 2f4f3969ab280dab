import { useState } from 'react'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { ApiProblem, problemOf } from '../problem.ts'
import { CodeField } from './CodeField.tsx'

/** The second step of signing in: the form stays, what was typed in the first step stays with it. */
export function useCodeStep() {
  const { t } = useTranslation()
  const [isAsked, setIsAsked] = useState(false)

  /** What there is to show of a failure: that a code is asked for is none. */
  function shown(thrown: unknown): unknown {
    const problem = problemOf(thrown)
    if (problem.code === 'TOTP_REQUIRED') {
      setIsAsked(true)
      return null
    }
    if (!isAsked || problem.code !== 'AUTH_FAILED') return thrown
    return new ApiProblem(problem.status, 'WRONG_CODE', t('problems.WRONG_CODE'), [], problem.requestId)
  }

  const field = isAsked && (
    <>
      <CodeField name="totp" />
      <Button type="link" style={{ paddingInline: 0, marginBlockEnd: 12 }} onClick={() => setIsAsked(false)}>
        {t('account.otherAccount')}
      </Button>
    </>
  )
  return { isAsked, shown, field }
}
