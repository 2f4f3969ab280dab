/**
 * `npm run check` runs it: a landed migration is never edited, and none breaks the code that runs while it is
 * carried out (expand and contract; see CONTRIBUTING). `--record` adds new migrations to the committed list
 * (`npm run generate` does so); `--release` gives those of the coming release their release.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { breaches, checksumOf, editedMigrations, NEXT, type Sample } from '../src/tenancy/migration-rules.ts'
import { landedMigrations, migrationsOf, type LandedMigration } from '../src/tenancy/migrations.ts'

const ROOT = join(import.meta.dirname, '..')
const LIST = join(ROOT, 'src/tenancy/landed-migrations.txt')
const HEADER = `# Every migration that has landed: release, set, name, checksum. Kept by tools/migrations.ts.
# A landed migration is never edited: mend it with another one.
`

const samples = (['platform', 'tenant'] as const).flatMap((set) =>
  migrationsOf(set).map((migration): Sample => ({ set, ...migration })),
)
const landed = landedMigrations()
const [mode] = process.argv.slice(2)
if (mode === '--release') {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  write(landed.map((one) => (one.release === NEXT ? { ...one, release: version } : one)))
} else {
  const wrong = [
    ...editedMigrations(samples, landed),
    ...samples.flatMap((sample) => breaches(sample, landed)),
  ]
  if (mode === '--record' && wrong.length === 0) write([...landed, ...unlisted()])
  if (mode !== '--record') {
    wrong.push(
      ...unlisted().map(({ name }) => `${name} is not on the list of what has landed: npm run generate`),
    )
  }
  for (const line of wrong) process.stderr.write(`${line}\n`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}

function unlisted(): LandedMigration[] {
  const known = new Set(landed.map(({ set, name }) => `${set} ${name}`))
  return samples
    .filter(({ set, name }) => !known.has(`${set} ${name}`))
    .map((sample) => ({ release: NEXT, set: sample.set, name: sample.name, checksum: checksumOf(sample) }))
}

function write(list: readonly LandedMigration[]): void {
  const key = ({ set, name }: LandedMigration): string => `${set} ${name}`
  const lines = list
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
    .map(({ release, set, name, checksum }) => `${release} ${set} ${name} ${checksum}\n`)
  writeFileSync(LIST, HEADER + lines.join(''))
}
