/** Starts the embedded PostgreSQL in the directory given and holds it until SIGINT, for tests. */
import { startEmbeddedPostgres } from '../tenancy/embedded.ts'

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('Which directory?')
const postgres = await startEmbeddedPostgres({ directory, settings: ['fsync=off'] })
const awake = setInterval(() => {}, 60_000)
process.once('SIGINT', () => {
  clearInterval(awake)
  void postgres.stop()
})
// Said last: whoever hears it may send the signal at once.
process.stdout.write(`Holding ${postgres.adminUrl}\n`)
