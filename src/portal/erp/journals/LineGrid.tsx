import { useEffect, useRef, type ClipboardEvent, type Dispatch, type KeyboardEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { GlAccount } from '../../shared/model.ts'
import './grid.css'
import { LineRow } from './LineRow.tsx'
import {
  columns,
  spreadsheetRows,
  type Column,
  type FindAccount,
  type GridAction,
  type Line,
  type Offer,
} from './lines.ts'

interface LineGridProps {
  lines: readonly Line[]
  offer: Offer | null
  accounts: readonly GlAccount[]
  find: FindAccount
  minorUnits: number
  dispatch: Dispatch<GridAction>
}

interface Cell {
  key: number
  column: Column
}

/** A plain table of inputs. Enter moves on; Tab does by itself. */
export function LineGrid({ lines, offer, accounts, find, minorUnits, dispatch }: LineGridProps) {
  const { t } = useTranslation()
  const table = useRef<HTMLTableElement>(null)
  const focusNewLine = useRef(false)
  const lastKey = lines.at(-1)?.key

  useEffect(() => {
    if (!focusNewLine.current || lastKey === undefined) return
    focusNewLine.current = false
    focusCell(table.current, { key: lastKey, column: 'account' })
  }, [lastKey])

  function onKeyDown(event: KeyboardEvent<HTMLTableElement>) {
    const cell = cellOf(event.target)
    if (!cell || event.nativeEvent.isComposing) return
    const lineIndex = lines.findIndex(({ key }) => key === cell.key)
    const isLastLine = lineIndex === lines.length - 1
    const modified = event.ctrlKey || event.metaKey
    if (event.key === 'Enter' && !modified && !event.altKey) {
      event.preventDefault()
      if (isLastLine && offer?.column === cell.column) {
        dispatch({ type: 'type', key: cell.key, column: cell.column, text: offer.amount })
      }
      moveOn(cell, lineIndex, event.shiftKey ? -1 : 1)
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const target = lines[lineIndex + (event.key === 'ArrowDown' ? 1 : -1)]
      if (target) focusCell(table.current, { key: target.key, column: cell.column })
    } else if (event.key === 'Delete' && modified) {
      event.preventDefault()
      const neighbour = lines[lineIndex + 1] ?? lines[lineIndex - 1]
      dispatch({ type: 'remove', key: cell.key })
      if (neighbour) focusCell(table.current, { key: neighbour.key, column: cell.column })
    }
  }

  function moveOn(cell: Cell, lineIndex: number, step: 1 | -1) {
    const column = columns[columns.indexOf(cell.column) + step]
    if (column) return focusCell(table.current, { key: cell.key, column })
    const neighbour = lines[lineIndex + step]
    if (neighbour) {
      return focusCell(table.current, { key: neighbour.key, column: step === 1 ? 'account' : 'description' })
    }
    if (step === -1) return
    focusNewLine.current = true
    dispatch({ type: 'add' })
  }

  function onPaste(event: ClipboardEvent<HTMLTableElement>) {
    const text = event.clipboardData.getData('text/plain')
    const cell = cellOf(event.target)
    // One value is pasted into its cell as usual.
    if (!cell || !/[\t\n]/.test(text.trim())) return
    event.preventDefault()
    dispatch({ type: 'paste', ...cell, rows: spreadsheetRows(text), find, minorUnits })
  }

  return (
    <table
      className="grid"
      ref={table}
      onKeyDown={onKeyDown}
      onPaste={onPaste}
      aria-label={t('journals.lines')}
    >
      <thead>
        <tr>
          <th scope="col" className="grid-position">
            #
          </th>
          <th scope="col">{t('journals.account')}</th>
          <th scope="col" className="numeric grid-amount">
            {t('journals.debit')}
          </th>
          <th scope="col" className="numeric grid-amount">
            {t('journals.credit')}
          </th>
          <th scope="col">{t('fields.description')}</th>
          <th className="grid-remove" aria-label={t('actions.delete')} />
        </tr>
      </thead>
      <tbody>
        {lines.map((line, index) => (
          <LineRow
            key={line.key}
            line={line}
            position={index + 1}
            offer={index === lines.length - 1 ? offer : null}
            accounts={accounts}
            minorUnits={minorUnits}
            dispatch={dispatch}
          />
        ))}
      </tbody>
    </table>
  )
}

function cellOf(target: EventTarget): Cell | null {
  if (!(target instanceof HTMLElement)) return null
  const { line, column } = target.dataset
  return line !== undefined && column !== undefined ? { key: Number(line), column: column as Column } : null
}

function focusCell(table: HTMLTableElement | null, { key, column }: Cell): void {
  table?.querySelector<HTMLInputElement>(`[data-line="${key}"][data-column="${column}"]`)?.focus()
}
