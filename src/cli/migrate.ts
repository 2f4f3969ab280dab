import { log, parseArguments, withProduct } from './program.ts'

/** Starting the product migrates; this reports what is left behind. */
export async function run(arguments_: string[]): Promise<void> {
  parseArguments(arguments_, {})
  await withProduct(async ({ fleet }) => {
    log('info', `${fleet.migrated} tenant(s) migrated, ${fleet.failed.length} failed`)
    for (const { tenantCode, reason } of fleet.failed) process.stdout.write(`${tenantCode}\t${reason}\n`)
    if (fleet.failed.length > 0) process.exitCode = 1
  })
}
