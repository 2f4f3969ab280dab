import { useId, useMemo, useState, type KeyboardEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { GlAccount } from '../../shared/model.ts'
import { accountFinder, accountOptions } from './accountSearch.ts'
import type { AccountChoice } from './lines.ts'

interface AccountCellProps {
  lineKey: number
  label: string
  text: string
  isChosen: boolean
  error: string | undefined
  accounts: readonly GlAccount[]
  onType: (text: string) => void
  onChoose: (account: AccountChoice) => void
}

/**
 * A plain input with a list below it. Two hundred of antd's selects in one form are slow to build and to
 * type in; this costs one input a line, and the list exists only while its cell has the focus.
 */
export function AccountCell(props: AccountCellProps) {
  const { lineKey, label, text, isChosen, error, accounts, onType, onChoose } = props
  const listId = useId()
  const [isOpen, setIsOpen] = useState(false)
  const [marked, setMarked] = useState(0)
  const options = useMemo(
    () => (isOpen ? accountOptions(accounts, isChosen ? '' : text) : []),
    [isOpen, accounts, text, isChosen],
  )

  function choose(account: AccountChoice) {
    onChoose(account)
    setIsOpen(false)
  }

  /** Enter and Tab take the marked account and let the event go on, so that the focus moves. */
  function onKeyDown(event: KeyboardEvent) {
    const last = options.length - 1
    if (event.key === 'ArrowDown' && isOpen) setMarked(Math.min(marked + 1, last))
    else if (event.key === 'ArrowUp' && isOpen) setMarked(Math.max(marked - 1, 0))
    else if (event.key === 'ArrowDown' && event.altKey) setIsOpen(true)
    else if (event.key === 'Escape' && isOpen) setIsOpen(false)
    else {
      const isLeaving = (event.key === 'Enter' && !event.ctrlKey) || (event.key === 'Tab' && !event.shiftKey)
      const account = options[marked]
      if (isLeaving && isOpen && !isChosen && text.trim() !== '' && account) choose(account)
      return
    }
    event.preventDefault()
    event.stopPropagation()
  }

  function leave() {
    setIsOpen(false)
    if (isChosen || text === '') return
    const account = accountFinder(accounts)(text)
    if (account) onChoose(account)
  }

  return (
    <>
      <input
        className="grid-input"
        role="combobox"
        aria-label={label}
        aria-expanded={isOpen}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={isOpen && options[marked] ? `${listId}-${marked}` : undefined}
        aria-invalid={error !== undefined}
        title={error ?? text}
        autoComplete="off"
        spellCheck={false}
        data-line={lineKey}
        data-column="account"
        value={text}
        onFocus={(event) => {
          event.target.select()
          setIsOpen(true)
          setMarked(0)
        }}
        onBlur={leave}
        onKeyDown={onKeyDown}
        onChange={(event) => {
          onType(event.target.value)
          setIsOpen(true)
          setMarked(0)
        }}
      />
      {isOpen && <AccountOptions listId={listId} options={options} marked={marked} onChoose={choose} />}
    </>
  )
}

interface AccountOptionsProps {
  listId: string
  options: GlAccount[]
  marked: number
  onChoose: (account: AccountChoice) => void
}

function AccountOptions({ listId, options, marked, onChoose }: AccountOptionsProps) {
  const { t } = useTranslation()
  return (
    <ul className="grid-options" role="listbox" id={listId} aria-label={t('journals.account')}>
      {options.length === 0 && <li className="grid-options-none">{t('journals.noAccountFound')}</li>}
      {options.map((account, index) => (
        <li
          key={account.id}
          id={`${listId}-${index}`}
          role="option"
          aria-selected={index === marked}
          // On mouse down, before the input loses the focus and with it the list.
          onMouseDown={(event) => {
            event.preventDefault()
            onChoose(account)
          }}
        >
          <span className="ltr grid-options-code">{account.code}</span> {account.name}
        </li>
      ))}
    </ul>
  )
}
