/** A CSV file of people to invite: its lines as text by column, and what is wrong with its form. */
import type { FieldProblem } from '../../../../kernel/problem.ts'
import { textOfCell } from '../../../../kernel/spreadsheets.ts'
import { CsvRecords } from '../../../imports/rules/csvRecords.ts'

export const invitationColumns = ['fullName', 'email', 'role', 'phone', 'joinDate', 'companies'] as const
export type InvitationColumn = (typeof invitationColumns)[number]
const required: readonly InvitationColumn[] = ['fullName', 'email', 'role']

export interface InvitationRow {
  /** Counted from 1, the header being the first. */
  readonly line: number
  readonly values: Readonly<Partial<Record<InvitationColumn, string>>>
}

export interface InvitationFile {
  readonly rows: readonly InvitationRow[]
  readonly problems: readonly FieldProblem[]
}

export function readInvitations(text: string, rowsMaximum: number): InvitationFile {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  const [head = ''] = lines
  const { columns, problems } = readHeader(head.replace(/\r$/, ''))
  if (problems.length > 0) return { rows: [], problems }
  const rows: InvitationRow[] = []
  const records = new CsvRecords(columns.length, (record) => {
    const line = record.line + 1
    if ('reason' in record) {
      const field = columns[record.column] ?? ''
      problems.push({ line, field, code: 'CSV', message: record.reason })
    } else if (record.values.length !== columns.length) {
      const message = `The line has ${record.values.length} values where the header has ${columns.length}`
      problems.push({ line, field: '', code: 'CSV', message })
    } else {
      const values = columns.map((column, index) => [column, textOfCell(record.values[index]?.trim() ?? '')])
      rows.push({ line, values: Object.fromEntries(values.filter(([, value]) => value !== '')) })
    }
  })
  for (const line of lines.slice(1)) records.push(line)
  records.end()
  if (rows.length === 0 && problems.length === 0) {
    problems.push({ line: 1, field: '', code: 'EMPTY', message: 'The file names nobody' })
  }
  if (rows.length > rowsMaximum) {
    const message = `At most ${rowsMaximum} people are invited at once; the file has ${rows.length}`
    return { rows: [], problems: [{ line: 1, field: '', code: 'TOO_MANY', message }] }
  }
  return { rows, problems }
}

function readHeader(head: string): { columns: InvitationColumn[]; problems: FieldProblem[] } {
  const problems: FieldProblem[] = []
  const names = head.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
  const columns = names.flatMap((name) => {
    const column = invitationColumns.find((known) => known.toLowerCase() === name.toLowerCase())
    if (column) return [column]
    const message = `There is no column "${name}"; there are ${invitationColumns.join(', ')}`
    problems.push({ line: 1, field: name, code: 'UNKNOWN_COLUMN', message })
    return []
  })
  for (const column of required.filter((name) => !columns.includes(name))) {
    problems.push({ line: 1, field: column, code: 'REQUIRED', message: `The column ${column} is missing` })
  }
  if (new Set(columns).size < columns.length) {
    problems.push({ line: 1, field: '', code: 'DUPLICATE', message: 'A column is there twice' })
  }
  return { columns, problems }
}
