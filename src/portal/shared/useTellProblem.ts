import { App } from 'antd'
import { useTranslation } from 'react-i18next'
import { problemOf } from './problem.ts'
import { problemText } from './states.tsx'

/** Tells what went wrong, in the user's language, where no form stands to show it in. */
export function useTellProblem(): (thrown: unknown) => void {
  const { t } = useTranslation()
  const { message } = App.useApp()
  return (thrown) => void message.error(problemText(problemOf(thrown), t))
}
