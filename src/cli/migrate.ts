import { command } from './command.ts'
import { log, withProduct } from './program.ts'

/** Starting the product migrates; this reports what is left behind. */
const migrate = command({
  name: 'migrate',
  summary: 'bring the platform and every tenant to this version',
  run: () =>
    withProduct(async ({ fleet }) => {
      log('info', `${fleet.migrated} tenant(s) migrated, ${fleet.failed.length} failed`)
      for (const { tenantCode, reason } of fleet.failed) process.stdout.write(`${tenantCode}\t${reason}\n`)
      if (fleet.failed.length > 0) process.exitCode = 1
    }),
})

export const commands = [migrate]
