import { useEffect, useRef, useState } from 'react'
import { Input } from 'antd'
import { Labelled } from './Labelled.tsx'

const PAUSE_MS = 300

interface SearchBoxProps {
  label: string
  value: string
  onSearch: (text: string) => void
  placeholder?: string
}

/** Searches when the typing pauses, so that the server is asked for words and not for letters. */
export function SearchBox({ label, value, onSearch, placeholder }: SearchBoxProps) {
  const [text, setText] = useState(value)
  const latest = useRef(onSearch)
  useEffect(() => {
    latest.current = onSearch
  })
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => latest.current(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text, value])
  return (
    <Labelled label={label}>
      <Input
        allowClear
        placeholder={placeholder ?? ''}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onPressEnter={() => onSearch(text)}
        style={{ width: 240 }}
      />
    </Labelled>
  )
}
