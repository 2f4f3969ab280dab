/** Reads a mail as it came over the wire, as a mail program would: headers, and what is shown. */

export interface ReadMail {
  /** By name, in lower case; encoded words are decoded. */
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  readonly html: string
}

export function readMail(raw: string): ReadMail {
  const { headers, body } = split(raw)
  const parts = leaves(headers, body)
  const find = (type: string): string =>
    parts.find((part) => part.headers.get('content-type')?.startsWith(type))?.body ?? ''
  return { headers, text: find('text/plain'), html: find('text/html') }
}

interface Part {
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

function split(raw: string): Part {
  const end = raw.indexOf('\r\n\r\n')
  const lines = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), words(line.slice(colon + 1).trim())] as const
  })
  return { headers: new Map(headers), body: raw.slice(end + 4) }
}

function leaves(headers: Part['headers'], body: string): Part[] {
  const type = headers.get('content-type') ?? ''
  const [, boundary] = /boundary="?([^";]+)/.exec(type) ?? []
  if (boundary === undefined) return [{ headers, body: decoded(body, headers) }]
  return body
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => split(part.replace(/^\r\n/, '')))
    .flatMap((part) => leaves(part.headers, part.body))
}

function decoded(body: string, headers: Part['headers']): string {
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase()
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8')
  return encoding === 'quoted-printable' ? quoted(body.replaceAll(/=\r\n/g, '')) : body
}

function quoted(text: string): string {
  const bytes = text.replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) // prettier-ignore
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** RFC 2047; words that stand beside each other are one text. */
function words(value: string): string {
  return value
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?(B|Q)\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64').toString('utf8')
        : quoted(text.replaceAll('_', ' ')),
    )
}
