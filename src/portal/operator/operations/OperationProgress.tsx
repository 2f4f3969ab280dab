import { useEffect, useRef } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Alert, Progress, Steps } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Operation } from '../../shared/model.ts'
import { ErrorState } from '../../shared/states.tsx'
import { isOver, operationQuery } from './queries.ts'

interface OperationProgressProps {
  id: string
  failedText: string
  /** Called once, when it has ended. */
  onOver?: (operation: Operation) => void
}

/** How far long work is, with its steps as the server reports them. */
export function OperationProgress({ id, failedText, onOver }: OperationProgressProps) {
  const { t } = useTranslation()
  const operation = useQuery(operationQuery(id))
  const state = operation.data
  const told = useRef(false)
  useEffect(() => {
    if (!state || !isOver(state.status) || told.current) return
    told.current = true
    onOver?.(state)
  }, [state, onOver])
  if (operation.isError)
    return <ErrorState error={operation.error} onRetry={() => void operation.refetch()} />
  const hasFailed = state?.status === 'failed' || state?.status === 'cancelled'
  return (
    <div aria-live="polite">
      <Progress
        percent={Math.round((state?.progress ?? 0) * 100)}
        status={hasFailed ? 'exception' : state?.status === 'done' ? 'success' : 'active'}
        aria-label={t('wizard.progress')}
      />
      {state && <OperationSteps operation={state} />}
      {hasFailed && <Alert type="error" showIcon title={failedText} description={state.error} />}
    </div>
  )
}

const stepStatus = { waiting: 'wait', running: 'process', done: 'finish', failed: 'error' } as const

function OperationSteps({ operation }: { operation: Operation }) {
  const { t } = useTranslation()
  return (
    <Steps
      orientation="vertical"
      size="small"
      style={{ marginBlock: 16 }}
      items={operation.steps.map((step) => ({
        // Steps the portal has no words for yet are shown by the server's name.
        title: t(`steps.${step.name}` as 'steps.database', { defaultValue: step.name }),
        status: stepStatus[step.status],
        content: <Duration startedAt={step.startedAt} finishedAt={step.finishedAt} />,
      }))}
    />
  )
}

function Duration({ startedAt, finishedAt }: { startedAt: string | null; finishedAt: string | null }) {
  const { t } = useTranslation()
  if (!startedAt || !finishedAt) return null
  return <>{t('wizard.tookMs', { ms: Date.parse(finishedAt) - Date.parse(startedAt) })}</>
}
