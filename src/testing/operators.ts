/** Operators for tests, put in by SQL and signed in. */
import { randomUUID } from 'node:crypto'
import { hash } from '@node-rs/bcrypt'
import { sql } from 'kysely'
import { operatorLogin } from '../platform/operators/contract.ts'
import type { OperatorRole } from '../platform/operators/rules/permissions.ts'
import { SYSTEM, type Product } from '../server/product.ts'
import { platformSql } from '../tenancy/handles.ts'
import type { Client } from './client.ts'
import { CHEAP_HASH_COST } from './product.ts'

export const OPERATOR_PASSWORD = 'Operator-pass-3'

export interface TestOperator {
  readonly id: string
  readonly fullName: string
  readonly email: string
  readonly client: Client
}

export async function addOperator(
  product: Product & { anonymous: Client },
  role: OperatorRole,
  fullName = `The ${role}`,
): Promise<TestOperator> {
  const email = `${role}-${randomUUID().slice(0, 8)}@operators.example`
  const passwordHash = await hash(OPERATOR_PASSWORD, { cost: CHEAP_HASH_COST })
  await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.run(
      sql`INSERT INTO platform.operator (full_name, email, password_hash, role)
        VALUES (${fullName}, ${email}, ${passwordHash}, ${role})`.compile(platformSql),
    ),
  )
  const body = { email, password: OPERATOR_PASSWORD }
  const session = (await product.anonymous.call(operatorLogin, { body })).ok()
  return {
    id: session.operator.id,
    fullName,
    email,
    client: product.anonymous.with({ token: session.token }),
  }
}
