/**
 * sqlmap (Debian), told exactly what to try. Left to itself it takes the parameters that it finds: of a request with
 * something marked in its path not those of the query, and of fields that are called alike only one. So every value
 * is marked here, and what it says in the end is held against the marks: tried to the end, each of them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const isHere = spawnSync('sqlmap', ['--version']).status === 0
if (!isHere) {
  const text = 'NOT TESTED: there is no sqlmap here (Debian: apt-get install sqlmap)'
  if (process.env['REQUIRE_SQLMAP'] === '1') throw new Error(text)
  process.stderr.write(`\n${text}\n`)
}

/** Behind a value: it is to be tried. */
export const MARK = '*'

/** What a parameter begins with that is there only to tell requests apart, and is not tried. */
export const NAMING = 'only_'

/**
 * Blind by content, by stacked statements and by time; UNION needs one of them to be seen. Not by error text: that we
 * show none is held against every answer to generated requests (answers.ts).
 */
const SETTINGS = ['--batch', '--ignore-stdin', '--technique=BST', '--time-sec=2', '--dbms=PostgreSQL', '--skip-waf', '--keep-alive', '--disable-coloring', '--flush-session', '--ignore-code=*', '--timeout=60', '--retries=3', '--answers=skip further tests=N', `--param-exclude=^${NAMING}`, '-v', '1'] // prettier-ignore
export const QUICK = ['--level=1', '--risk=1']
export const DEEP = ['--level=3', '--risk=2']
/**
 * It looks twice at each page, half a second apart, to warn whoever watches that it changes by itself ("not needed
 * anymore", says its own comment); here it need not wait between the two. Everything else is Debian's sqlmap.
 */
const WITHOUT_WAITING = [
  'import os, runpy, shutil, sys',
  'sys.argv[0] = os.path.realpath(shutil.which("sqlmap"))',
  'sys.path.insert(0, os.path.dirname(sys.argv[0]))',
  'import lib.core.settings as settings',
  'settings.MAX_STABILITY_DELAY = 0',
  'runpy.run_path(sys.argv[0], run_name="__main__")',
].join('\n')
/**
 * Lines in which sqlmap says that it could not try what it was to try. Not where it tries again: a kept connection
 * may be closed at any time, and it tells when a second try fails too.
 */
const WENT_WRONG =
  /^(?!.*going to retry).*(?:unable to connect|connection refused|connection timed out|unhandled exception).*$/gim
/** What it says of what it has found. */
const PROOF = /^Parameter: .+\n(?:    .+\n|\n)+/gm
/** Its output is cut before each request. */
const NEXT_TARGET = /^\[\d+\/\d+\] URL:$/m

export interface Target {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** JSON, where nothing else is said. */
  readonly contentType?: string
}

export interface Report {
  readonly output: string
  /** `Parameter: …` lines: what can be injected into. */
  readonly injectable: readonly string[]
  readonly proofs: readonly string[]
  readonly faults: readonly string[]
  /** By request: what was marked and not tried to the end, or found to be injectable. */
  readonly untried: readonly string[]
  /** Those requests. */
  readonly unsettled: readonly Target[]
  /** Marks that were tried to the end, and withstood. */
  readonly withstood: number
}

/** One sqlmap for many requests: it takes longer to start than to try. */
export async function sqlmap(
  url: string,
  targets: readonly Target[],
  depth: readonly string[],
): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'erp-sqlmap-'))
  try {
    writeFileSync(join(folder, 'requests.log'), targets.map((target) => logged(url, target)).join(''))
    const arguments_ = ['-l', join(folder, 'requests.log'), `--output-dir=${folder}`, ...SETTINGS, ...depth]
    const child = spawn('python3', ['-c', WITHOUT_WAITING, ...arguments_], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString())) // prettier-ignore
    await new Promise<void>((resolve) => child.on('close', () => resolve()))
    const parts = output.split(NEXT_TARGET).slice(1)
    return {
      output,
      injectable: [...output.matchAll(/^Parameter: .+$/gm)].map(([line]) => line),
      proofs: output.match(PROOF) ?? [],
      faults: [
        ...(output.match(WENT_WRONG) ?? []),
        ...(parts.length === targets.length ? [] : [`${parts.length} of ${targets.length} requests tried`]),
      ],
      untried: targets.flatMap((target, index) => untriedOf(target, parts[index] ?? '')),
      unsettled: targets.filter((target, index) => untriedOf(target, parts[index] ?? '').length > 0),
      withstood: parts.reduce((sum, part) => sum + withstoodIn(part).length, 0),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As Burp writes what it has seen, which sqlmap reads. */
function logged(url: string, { method, path, headers, body, contentType }: Target): string {
  const { host, hostname } = new URL(url)
  const line = '='.repeat(54)
  const sent = { Host: host, ...headers, ...(body === undefined ? {} : { 'Content-Type': contentType ?? 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }) } // prettier-ignore
  const head = Object.entries(sent).map(([name, value]) => `${name}: ${value}`)
  return `${line}\n12:00:00  ${url}  [${hostname}]\n${line}\n${[`${method} ${path} HTTP/1.1`, ...head].join('\n')}\n\n${body ?? ''}\n${line}\n\n\n`
}

// ---- marks ---------------------------------------------------------------------------------------------

/** Every value of a JSON body, however deep. What is no text is followed by its mark, as sqlmap does it itself. */
export function markedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(markedJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([name, inner]) => `${JSON.stringify(name)}:${markedJson(inner)}`,
    )
    return `{${fields.join(',')}}`
  }
  return typeof value === 'string' ? JSON.stringify(`${value}${MARK}`) : `${JSON.stringify(value)}${MARK}`
}

/** Of a query or a form. */
export function markedForm(values: object): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}${MARK}`)
    .join('&')
}

/** As sqlmap names them: by place and number; those of a header by its name too. */
function marksOf({ path, headers, body = '' }: Target): string[] {
  const numbered = (text: string, name = '') => Array.from({ length: text.split(MARK).length - 1 }, (_, index) => `${name}#${index + 1}`) // prettier-ignore
  return [
    ...numbered(path),
    ...numbered(body),
    ...Object.entries(headers).flatMap(([name, value]) => numbered(value, `${name.toLowerCase()} `)),
  ]
}

function withstoodIn(output: string): string[] {
  return [...output.matchAll(/parameter '(?:JSON )?([^']+?)\*?' does not seem to be injectable/g)].map(
    ([, name = '']) => name.toLowerCase(),
  )
}

function untriedOf(target: Target, output: string): string[] {
  const tried = withstoodIn(output)
  const missing = marksOf(target).filter((mark) => {
    const index = tried.indexOf(mark)
    if (index >= 0) tried.splice(index, 1)
    return index < 0
  })
  return missing.map((mark) => `${target.name}: ${mark}`)
}
