import { memo, type Dispatch } from 'react'
import { DeleteOutlined } from '@ant-design/icons'
import { useTranslation } from 'react-i18next'
import type { GlAccount } from '../../shared/model.ts'
import { AccountCell } from './AccountCell.tsx'
import type { GridAction, Line, Offer } from './lines.ts'

interface LineRowProps {
  line: Line
  position: number
  /** Only the last line has one. */
  offer: Offer | null
  accounts: readonly GlAccount[]
  minorUnits: number
  dispatch: Dispatch<GridAction>
}

/** Memoised: typing in one line of two hundred renders that line, the last one and the totals. */
export const LineRow = memo(function LineRow(props: LineRowProps) {
  const { line, position, offer, accounts, minorUnits, dispatch } = props
  const { t } = useTranslation()
  return (
    <tr>
      <td className="grid-position">{position}</td>
      <td className={cellClass(line.errors.account)}>
        <AccountCell
          lineKey={line.key}
          label={t('journals.cell.account', { line: position })}
          text={line.accountText}
          isChosen={line.account !== null}
          error={line.errors.account}
          accounts={accounts}
          onType={(text) => dispatch({ type: 'type', key: line.key, column: 'account', text })}
          onChoose={(account) => dispatch({ type: 'choose', key: line.key, account })}
        />
        <CellError text={line.errors.account} />
      </td>
      {(['debit', 'credit'] as const).map((column) => (
        <td key={column} className={cellClass(line.errors[column])}>
          <input
            className="grid-input numeric ltr"
            inputMode="decimal"
            autoComplete="off"
            aria-label={t(`journals.cell.${column}`, { line: position })}
            aria-invalid={line.errors[column] !== undefined}
            title={line.errors[column] ?? ''}
            placeholder={offer?.column === column ? offer.amount : ''}
            data-line={line.key}
            data-column={column}
            value={line[column]}
            onFocus={(event) => event.target.select()}
            onChange={(event) => dispatch({ type: 'type', key: line.key, column, text: event.target.value })}
            onBlur={() => dispatch({ type: 'tidyAmount', key: line.key, column, minorUnits })}
          />
          <CellError text={line.errors[column]} />
        </td>
      ))}
      <td className={cellClass(line.errors.description)}>
        <input
          className="grid-input"
          maxLength={500}
          autoComplete="off"
          aria-label={t('journals.cell.description', { line: position })}
          aria-invalid={line.errors.description !== undefined}
          data-line={line.key}
          data-column="description"
          value={line.description}
          onChange={(event) =>
            dispatch({ type: 'type', key: line.key, column: 'description', text: event.target.value })
          }
        />
        <CellError text={line.errors.description} />
      </td>
      <td className="grid-remove">
        <button
          type="button"
          // Out of the way of Tab; Ctrl+Delete in the line does the same.
          tabIndex={-1}
          aria-label={t('journals.removeLine', { line: position })}
          onClick={() => dispatch({ type: 'remove', key: line.key })}
        >
          <DeleteOutlined />
        </button>
      </td>
    </tr>
  )
})

function cellClass(error: string | undefined): string {
  return error === undefined ? 'grid-cell' : 'grid-cell grid-cell-wrong'
}

function CellError({ text }: { text: string | undefined }) {
  return text === undefined ? null : (
    <div className="grid-error" role="alert">
      {text}
    </div>
  )
}
