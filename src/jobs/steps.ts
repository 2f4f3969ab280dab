/** The steps of durable workflows: each may be repeated, and its outcome is kept once it is there. */
import { DBOS } from '@dbos-inc/dbos-sdk'

/** Tests stop the process or fail here; nothing else does. */
export type StepWatch = (step: string, moment: 'before' | 'after') => void | Promise<void>

export type StepRunner = <Result>(
  name: string,
  work: () => Promise<Result>,
  kind?: keyof typeof RETRIES,
) => Promise<Result>

const RETRIES = {
  work: { maxAttempts: 3, backoffRate: 3 },
  /** What undoes, and what can only go on, is not given up lightly: over three minutes. */
  persistent: { maxAttempts: 11, backoffRate: 2 },
} as const

/**
 * As DBOS does it; but where this process has stopped carrying workflows out, a step neither begins nor fails: what
 * failed would be kept as the workflow's end, and nobody would take it over.
 */
export const runStep: typeof DBOS.runStep = async (work, options) => {
  try {
    return await DBOS.runStep(work, options)
  } catch (error) {
    if (error instanceof TypeError && error.message.includes('DBOS.launch()')) return new Promise(() => {})
    throw error
  }
}

export function stepRunner(atStep: StepWatch | undefined): StepRunner {
  return (name, work, kind = 'work') =>
    runStep(
      async () => {
        await atStep?.(name, 'before')
        const result = await work()
        await atStep?.(name, 'after')
        return result
      },
      { name, retriesAllowed: true, intervalSeconds: 0.2, ...RETRIES[kind] },
    )
}

export function reasonOf(error: unknown): string {
  // A step that was tried in vain several times tells its last reason inside.
  const { errors } = error as { errors?: readonly unknown[] }
  const last = errors?.at(-1) ?? error
  return last instanceof Error ? last.message : String(last)
}
