import { useEffect, useMemo, useReducer, useRef, useState } from 'react'
import { useBlocker } from '@tanstack/react-router'
import { App, Button, Card, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import type { GlAccountNode, JournalEntry } from '../../shared/model.ts'
import { ApiProblem, fieldPath, problemOf } from '../../shared/problem.ts'
import { ProblemAlert } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { useCan } from '../useCompany.ts'
import { accountFinder } from './accountSearch.ts'
import { BalanceBar } from './BalanceBar.tsx'
import { LineGrid } from './LineGrid.tsx'
import {
  balancingOffer,
  gridReducer,
  isBlank,
  readyToSend,
  totalsOf,
  type Column,
  type Grid,
  type Line,
} from './lines.ts'
import { useSubmitEntry, type Submission } from './queries.ts'

export interface EntryHead {
  transactionDate: string
  postingDate: string
  description: string
  reference: string
}

interface EntryFormProps {
  head: EntryHead
  grid: Grid
  draft: Submission['draft']
  accounts: GlAccountNode[]
  minorUnits: number
  onDone: (entry: JournalEntry) => void
}

export function EntryForm({ head, grid: initialGrid, draft, accounts, minorUnits, onDone }: EntryFormProps) {
  const { t } = useTranslation()
  const can = useCan()
  const [form] = Form.useForm<EntryHead>()
  const [grid, dispatch] = useReducer(gridReducer, initialGrid)
  const find = useMemo(() => accountFinder(accounts), [accounts])
  const totals = useMemo(() => totalsOf(grid.lines, minorUnits), [grid.lines, minorUnits])
  const offer = balancingOffer(grid.lines, totals, minorUnits)
  const { submit, formProblem, isPending, isDone } = useSubmission({
    form,
    lines: grid.lines,
    find,
    minorUnits,
    isBalanced: totals.difference.isZero(),
    draft,
    showErrors: (errors) => dispatch({ type: 'errors', errors }),
    onDone,
  })
  useShortcuts(submit)
  useLeaveWarning(() => grid !== initialGrid && grid.lines.some((line) => !isBlank(line)) && !isDone.current)

  function takeOffer() {
    const last = grid.lines.at(-1)
    if (last && offer) dispatch({ type: 'type', key: last.key, column: offer.column, text: offer.amount })
  }

  return (
    <>
      <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
      <HeadFields form={form} head={head} />
      <Card styles={{ body: { padding: 0 } }}>
        <LineGrid
          lines={grid.lines}
          offer={offer}
          accounts={accounts}
          find={find}
          minorUnits={minorUnits}
          dispatch={dispatch}
        />
        <BalanceBar totals={totals} minorUnits={minorUnits} offer={offer} onTakeOffer={takeOffer}>
          <Button onClick={() => dispatch({ type: 'add' })}>{t('journals.addLine')}</Button>
          <Button onClick={() => submit('draft')} disabled={isPending} title="Ctrl+S">
            {t('journals.saveDraft')}
          </Button>
          {can('journal-entries:post') && (
            <Button type="primary" onClick={() => submit('posted')} loading={isPending} title="Ctrl+Enter">
              {t('journals.post')}
            </Button>
          )}
        </BalanceBar>
      </Card>
      <p style={{ color: 'var(--text-secondary)', fontSize: 12 }}>{t('journals.keyboardHint')}</p>
    </>
  )
}

/** A long message under a date wraps instead of pushing its neighbours away. */
const dateWidth = { width: 160 }

function HeadFields({
  form,
  head,
}: {
  form: ReturnType<typeof Form.useForm<EntryHead>>[0]
  head: EntryHead
}) {
  const { t } = useTranslation()
  return (
    <Card style={{ marginBlockEnd: 16 }} styles={{ body: { paddingBlockEnd: 0 } }}>
      <Form form={form} layout="vertical" initialValues={head} requiredMark={false} className="entry-head">
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: '0 16px' }}>
          <Form.Item
            name="transactionDate"
            label={t('journals.transactionDate')}
            style={dateWidth}
            rules={[{ required: true, message: t('validation.required') }]}
          >
            <DateInput />
          </Form.Item>
          <Form.Item
            name="postingDate"
            label={t('journals.postingDate')}
            tooltip={t('journals.postingDateHint')}
            style={dateWidth}
          >
            <DateInput />
          </Form.Item>
          <Form.Item name="description" label={t('fields.description')} style={{ flex: '1 1 280px' }}>
            <Input maxLength={500} autoFocus />
          </Form.Item>
          <Form.Item name="reference" label={t('journals.reference')} style={{ flex: '0 1 200px' }}>
            <Input maxLength={100} />
          </Form.Item>
        </div>
      </Form>
    </Card>
  )
}

interface SubmissionOptions {
  form: ReturnType<typeof Form.useForm<EntryHead>>[0]
  lines: readonly Line[]
  find: ReturnType<typeof accountFinder>
  minorUnits: number
  isBalanced: boolean
  draft: Submission['draft']
  showErrors: (errors: ReadonlyMap<number, Line['errors']>) => void
  onDone: (entry: JournalEntry) => void
}

function useSubmission(options: SubmissionOptions) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const formProblem = useFormProblem(options.form)
  const submission = useSubmissionKey()
  const save = useSubmitEntry()
  const isDone = useRef(false)
  const [isChecking, setIsChecking] = useState(false)

  async function send(status: 'draft' | 'posted') {
    const { form, lines, find, minorUnits, isBalanced, draft, showErrors, onDone } = options
    formProblem.clear()
    const ready = readyToSend(lines, find, minorUnits, {
      required: t('validation.required'),
      unknownAccount: t('journals.unknownAccount'),
      amountMissing: t('journals.amountMissing'),
      amountWrong: t('journals.amountWrong'),
    })
    showErrors(ready.errors)
    const head = await form.validateFields()
    if (ready.errors.size > 0) return
    if (ready.lines.length < 2) return void message.warning(t('journals.twoLines'))
    if (status === 'posted' && !isBalanced) return void message.warning(t('journals.notBalanced'))
    const body = {
      transactionDate: head.transactionDate,
      ...(head.postingDate ? { postingDate: head.postingDate } : {}),
      description: head.description,
      reference: head.reference || null,
      lines: ready.lines,
      status,
    }
    try {
      const entry = await save.mutateAsync({ draft, body, submissionKey: submission.keyFor(body) })
      submission.done()
      isDone.current = true
      void message.success(
        entry.status === 'draft'
          ? t('journals.draftSaved')
          : t('journals.posted', { number: entry.number ?? '' }),
      )
      onDone(entry)
    } catch (thrown) {
      showErrors(errorsOnCells(thrown, ready.keys))
      formProblem.show(withoutCells(thrown))
    }
  }

  function submit(status: 'draft' | 'posted') {
    if (isChecking || save.isPending) return
    setIsChecking(true)
    // A refused head field shows itself on its field.
    void send(status)
      .catch(() => undefined)
      .finally(() => setIsChecking(false))
  }

  return { submit, formProblem, isPending: save.isPending, isDone }
}

/** `lines[2].debit` of the request is the debit cell of the third line sent. */
function errorsOnCells(thrown: unknown, keys: number[]): Map<number, Line['errors']> {
  const errors = new Map<number, Line['errors']>()
  for (const { field, message } of problemOf(thrown).fields) {
    const cell = cellOfField(field, keys)
    if (cell) errors.set(cell.key, { ...errors.get(cell.key), [cell.column]: message })
  }
  return errors
}

function withoutCells(thrown: unknown) {
  const problem = problemOf(thrown)
  const others = problem.fields.filter(({ field }) => !/^lines\[\d+\]/.test(field))
  return new ApiProblem(problem.status, problem.code, problem.message, others, problem.requestId)
}

function cellOfField(field: string, keys: number[]): { key: number; column: Column } | null {
  const [list, index, name] = fieldPath(field)
  const key = list === 'lines' && typeof index === 'number' ? keys[index] : undefined
  if (key === undefined) return null
  const column = name === 'debit' || name === 'credit' || name === 'description' ? name : 'account'
  return { key, column }
}

function useShortcuts(submit: (status: 'draft' | 'posted') => void) {
  const latest = useRef(submit)
  useEffect(() => {
    latest.current = submit
  })
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (!event.ctrlKey && !event.metaKey) return
      if (event.key !== 'Enter' && event.key.toLowerCase() !== 's') return
      event.preventDefault()
      latest.current(event.key === 'Enter' ? 'posted' : 'draft')
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [])
}

function useLeaveWarning(isUnsaved: () => boolean) {
  const { t } = useTranslation()
  useBlocker({
    shouldBlockFn: () => isUnsaved() && !window.confirm(t('journals.leaveWarning')),
    enableBeforeUnload: isUnsaved,
  })
}
