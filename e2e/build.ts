/** Builds the portal once, before the first test: what is tested is what is in the tree. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

export default function setup(): void {
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  const { status, stderr } = spawnSync(process.execPath, [vite, 'build'], { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`The portal could not be built:\n${stderr}`)
}
