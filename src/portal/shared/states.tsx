/** What a screen shows when it has nothing to show yet, nothing at all, or could not get it. */
import type { ReactNode } from 'react'
import { Alert, Button, Card, Empty, Result, Skeleton, Typography } from 'antd'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { InView } from './InView.tsx'
import { problemOf, UNREACHABLE, type ApiProblem, type FieldProblem } from './problem.ts'

export function LoadingState() {
  const { t } = useTranslation()
  return (
    <Card aria-busy="true" aria-label={t('states.loading')}>
      <Skeleton active paragraph={{ rows: 6 }} />
    </Card>
  )
}

export function EmptyState({ text, action }: { text: string; action?: ReactNode }) {
  return (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={text}>
      {action}
    </Empty>
  )
}

export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation()
  const problem = problemOf(error)
  const status = problem.status === 403 || problem.status === 404 ? 'warning' : 'error'
  return (
    <Card role="alert">
      <Result
        status={status}
        title={problemText(problem, t)}
        subTitle={<RequestId problem={problem} />}
        extra={
          onRetry && (
            <Button type="primary" onClick={onRetry}>
              {t('actions.retry')}
            </Button>
          )
        }
      />
    </Card>
  )
}

/** Instead of what a query has not brought: it is still being asked, or failed and can be asked again. */
export function QueryState({
  query,
}: {
  query: { isPending: boolean; error: unknown; refetch: () => unknown }
}) {
  if (query.isPending) return <LoadingState />
  return <ErrorState error={query.error} onRetry={() => void query.refetch()} />
}

/** Above a form: what went wrong as a whole, and what could be shown on no field. */
export function ProblemAlert({
  error,
  unplaced = [],
}: {
  error: unknown
  unplaced?: readonly FieldProblem[]
}) {
  const { t } = useTranslation()
  if (!error) return null
  const problem = problemOf(error)
  // A single finding is already the headline.
  const others = unplaced.filter(({ message }) => message !== problem.message)
  return (
    <InView news={error}>
      <Alert
        type="error"
        showIcon
        style={{ marginBlockEnd: 16 }}
        title={problemText(problem, t)}
        description={
          <>
            {others.length > 0 && (
              <ul style={{ margin: 0, paddingInlineStart: 18 }}>
                {others.map((detail) => (
                  <li key={`${detail.field} ${detail.code}`}>
                    {detail.field
                      ? `${detail.field}: ${fieldProblemText(detail, t)}`
                      : fieldProblemText(detail, t)}
                  </li>
                ))}
              </ul>
            )}
            <RequestId problem={problem} />
          </>
        }
      />
    </InView>
  )
}

function RequestId({ problem }: { problem: ApiProblem }) {
  const { t } = useTranslation()
  if (!problem.requestId) return null
  return (
    <Typography.Text type="secondary" style={{ fontSize: 12 }}>
      {t('states.requestId')}{' '}
      <Typography.Text copyable type="secondary" className="ltr" style={{ fontSize: 12 }}>
        {problem.requestId}
      </Typography.Text>
    </Typography.Text>
  )
}

/** The server speaks English and says it best; other languages have their own words for the usual codes. */
export function problemText(problem: ApiProblem, t: TFunction): string {
  if (problem.code === UNREACHABLE) return t('problems.UNREACHABLE')
  const ours = t(`problems.${problem.code}` as 'problems.UNREACHABLE', { defaultValue: '' })
  return t('language') === 'en' ? problem.message || ours : ours || problem.message
}

/** Likewise of one field: those that many people meet have words in every language. */
export function fieldProblemText({ code, message }: FieldProblem, t: TFunction): string {
  const ours = t(`fieldProblems.${code}` as 'fieldProblems.PASSWORD_TOO_SHORT', { defaultValue: '' })
  return t('language') === 'en' ? message || ours : ours || message
}
