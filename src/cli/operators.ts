/**
 * `erp operators …`: the ways back in for an operator who has lost everything, and to a second one where there is one
 * alone. Whoever may run this on the server could read the database anyway; what they do here is written down.
 */
import { Problem, problems } from '../kernel/problem.ts'
import { RESET_MINUTES } from '../accounts/passwords.ts'
import { recordEvent } from '../platform/audit.ts'
import { tellOperatorSessionEnd } from '../platform/operators/accounts.ts'
import { createOperator } from '../platform/operators/contract.ts'
import { operatorRoles, type OperatorRole } from '../platform/operators/rules/permissions.ts'
import { operatorByEmail } from '../platform/operators/records.ts'
import { SYSTEM, type Product } from '../server/product.ts'
import { callPlatform } from './caller.ts'
import { command } from './command.ts'
import { withProduct } from './program.ts'

/** Where two must agree it waits, for any owner: they did not ask for it, so the only one may approve it. */
const create = command({
  name: 'operators create',
  summary: 'create an operator, who is invited by mail',
  options: {
    name: { type: 'string', value: 'TEXT', required: true, help: 'their full name' },
    email: { type: 'string', value: 'EMAIL', required: true, help: 'where the invitation goes' },
    role: { type: 'string', value: 'ROLE', required: true, help: operatorRoles.join(', ') },
  },
  run: ({ values: { name: fullName, email, role } }) =>
    withProduct(async (product) => {
      await callPlatform(product, createOperator, { body: { fullName, email, role: role as OperatorRole } })
      process.stdout.write(`${email} is invited\n`)
    }),
})

/** At once, also where two must agree: the one who has lost it may be the second. */
const resetSecondFactor = command({
  name: 'operators reset-second-factor',
  summary:
    'turn two-step sign-in off for an operator who has lost app and recovery codes; ends their sessions',
  arguments: ['EMAIL'],
  run: ({ positionals: [email = ''] }) =>
    withProduct(async (product) => {
      const { id } = await find(product, email)
      await product.gate.writePlatform(SYSTEM, (tx) => product.operators.secondFactors.reset(tx, id))
      await tellOperatorSessionEnd(product.operators)
      process.stdout.write(`${email} signs in with the password alone now\n`)
    }),
})

const resetPassword = command({
  name: 'operators reset-password',
  summary: 'make a link under which an operator sets a new password; good once, for an hour',
  arguments: ['EMAIL'],
  run: ({ positionals: [email = ''] }) =>
    withProduct(async (product) => {
      const { id } = await find(product, email)
      const { link } = await product.gate.writePlatform(SYSTEM, async (tx) => {
        const action = 'make a link to set a password'
        await recordEvent(tx, { action, entity: 'operator', entityId: id, details: { email } })
        return product.operators.passwords.makeResetLink(tx, id, new Date())
      })
      process.stdout.write(`${link}\n`)
      process.stderr.write(`It works once, for ${RESET_MINUTES} minutes: hand it to ${email} alone\n`)
    }),
})

export const commands = [create, resetSecondFactor, resetPassword]

async function find({ gate }: Product, email: string): Promise<{ readonly id: string }> {
  const operator = await gate.readPlatform(SYSTEM, (tx) => operatorByEmail(tx, email))
  if (operator?.is_active) return operator
  throw new Problem(problems.notFound, { message: `There is no active operator ${email}` })
}
