/** Invitations: by mail, with a link good once; many from a file, all or none. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mailedTo } from '../../../testing/mailed.ts'
import { signIn, startTestProduct, type TestProduct, type TestTenant } from '../../../testing/product.ts'
import { addUser } from '../../../testing/users.ts'
import { me, resetPassword } from '../contract.ts'
import { createRole, listRoles } from '../roles/contract.ts'
import { createUser, inviteUser, listUsers, updateUser, type UserData } from './contract.ts'

const PASSWORD = 'Harvest-Moon-47!'

let product: TestProduct
let tenant: TestTenant
let at: TestProduct['anonymous']
let viewerId: string

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
  viewerId = (await tenant.admin.call(listRoles, { query: { search: 'Viewer' } })).ok().roles[0]?.id ?? ''
})
afterAll(() => product.stop())

const mailed = (email: string) => mailedTo(product, tenant.id, email)
let count = 0
const invited = async (): Promise<UserData> => {
  const body = { fullName: `Guest ${++count}`, email: `guest-${count}@users.example`, roleId: viewerId }
  return (await tenant.admin.call(createUser, { body })).ok()
}
const setPassword = (token: string, password = PASSWORD) =>
  at.call(resetPassword, { body: { token, password } })

describe('an invitation', () => {
  test('comes by mail, leads to the tenant, and lets its user in once a password is set', async () => {
    const user = await invited()
    const [mail, ...others] = await mailed(user.email)
    expect(others).toEqual([])
    expect(mail?.template).toBe('invitation')
    expect(mail?.text).toContain('Ann Keeper')
    expect(new URL(mail?.address ?? '').hostname).toBe(
      `${tenant.code.toLowerCase().replaceAll('_', '-')}.localhost`,
    )
    expect((await setPassword(mail?.token ?? '', 'abc')).refusals).toEqual([
      'password PASSWORD_NEEDS_DIGIT',
      'password PASSWORD_NEEDS_SPECIAL',
      'password PASSWORD_NEEDS_UPPER',
      'password PASSWORD_TOO_SHORT',
    ])
    ;(await setPassword(mail?.token ?? '')).ok()
    const { client } = await signIn(at, user.email, PASSWORD)
    expect((await client.call(me)).ok()).toMatchObject({ role: 'Viewer', restriction: null })
    expect((await setPassword(mail?.token ?? '', 'Another-Moon-48!')).refusals).toEqual([
      'token TOKEN_INVALID',
    ])
  })

  test('is sent again to who has not come yet; the earlier link is void then', async () => {
    const user = await invited()
    const params = { id: user.id }
    ;(await tenant.admin.call(inviteUser, { params })).ok()
    const [second, first] = await mailed(user.email)
    expect((await setPassword(first?.token ?? '')).refusals).toEqual(['token TOKEN_INVALID'])
    ;(await setPassword(second?.token ?? '')).ok()
    expect((await tenant.admin.call(inviteUser, { params })).error.code).toBe('ALREADY_JOINED')
  })

  test('is void once the address has changed, or the user is not active', async () => {
    for (const body of [{ email: `moved-${++count}@users.example` }, { status: 'inactive' as const }]) {
      const user = await invited()
      const [mail] = await mailed(user.email)
      ;(await tenant.admin.call(updateUser, { params: { id: user.id }, body })).ok()
      expect((await setPassword(mail?.token ?? '')).refusals).toEqual(['token TOKEN_INVALID'])
    }
  })
})

describe('a file of invitations', () => {
  const send = (text: string | Buffer, client = tenant.admin, type = 'text/csv') =>
    client.send<{ users: UserData[]; count: number }>('POST', '/api/v1/users/invitations', text.toString(), {
      'content-type': type,
    })
  const total = async (): Promise<number> => (await tenant.admin.call(listUsers)).ok().pagination.total
  const toldOf = (answer: Awaited<ReturnType<typeof send>>): string[] =>
    answer.error.details.map(
      (detail) => `${(detail as { line?: number }).line} ${detail.field} ${detail.code}`,
    )

  test('makes everybody in it, and mails each of them', async () => {
    const file = `fullName,email,role,phone,joinDate,companies
"Baker, Bea",bea@file.example,viewer,+1 555 0100,2026-03-01,main
Cy Cook,cy@file.example,Accountant,,,*
Di Dyer,di@file.example,Sales,,,
`
    const { users, count } = (await send(file)).ok()
    expect(count).toBe(3)
    expect(users.map(({ fullName, role, phone, joinDate, allCompanies, companyIds, isInvited }) => (
      { fullName, role, phone, joinDate, allCompanies, companyIds, isInvited }))).toEqual([
      { fullName: 'Baker, Bea', role: 'Viewer', phone: '+1 555 0100', joinDate: '2026-03-01', allCompanies: false, companyIds: [tenant.companyId], isInvited: true },
      { fullName: 'Cy Cook', role: 'Accountant', phone: null, joinDate: null, allCompanies: true, companyIds: [], isInvited: true },
      { fullName: 'Di Dyer', role: 'Sales', phone: null, joinDate: null, allCompanies: false, companyIds: [tenant.companyId], isInvited: true },
    ]) // prettier-ignore
    for (const { email } of users) expect(await mailed(email)).toHaveLength(1)
    ;(await setPassword((await mailed('cy@file.example'))[0]?.token ?? '')).ok()
  })

  test('is refused whole, every bad row told with line, field and reason', async () => {
    const before = await total()
    const { email } = await addUser(product, tenant, 'Viewer')
    const answer = await send(`email,fullName,role,companies,joinDate
good@file.example,Good One,Viewer,,
no address,Bad Address,Viewer,,
late@file.example,,Viewer,,tomorrow
role@file.example,Bad Role,Emperor,MAIN;NOWHERE,
GOOD@file.example,Twice,Viewer,,
${email},There Already,Viewer,,
short@file.example,Short Line
`)
    expect(answer.status).toBe(400)
    expect(toldOf(answer)).toEqual([
      '3 email FORMAT',
      '4 fullName REQUIRED',
      '4 joinDate FORMAT',
      '5 role UNKNOWN_ROLE',
      '5 companies UNKNOWN_COMPANY',
      '6 email DUPLICATE',
      '7 email DUPLICATE',
      '8  CSV',
    ])
    expect(await total()).toBe(before + 1) // the one added by hand
    expect(await mailed('good@file.example')).toEqual([])
    // Control: the good row alone is taken.
    expect((await send('email,fullName,role\ngood@file.example,Good One,Viewer\n')).status).toBe(201)
  })

  test('gives nobody more than the sender holds', async () => {
    ;(
      await tenant.admin.call(createRole, { body: { name: 'Inviter', permissions: ['users:*', '*:view'] } })
    ).ok()
    const { client } = await addUser(product, tenant, 'Inviter')
    const answer = await send(
      'fullName,email,role,companies\nA,a@within.example,Viewer,\nB,b@beyond.example,Administrator,\nC,c@beyond.example,Viewer,*\n',
      client,
    )
    expect(toldOf(answer)).toEqual(['3 role PERMISSION_DENIED', '4 companies PERMISSION_DENIED'])
    expect((await send('fullName,email,role\nA,a@within.example,Viewer\n', client)).status).toBe(201)
  })

  test('takes CSV alone, and no more people than it says', async () => {
    expect((await send('{}', tenant.admin, 'application/json')).status).toBe(415)
    const many = Array.from({ length: 501 }, (_, index) => `P,p${index}@many.example,Viewer`).join('\n')
    expect(toldOf(await send(`fullName,email,role\n${many}`))).toEqual(['1  TOO_MANY'])
    expect((await send('x'.repeat(1_100_000))).status).toBe(413)
  })
})
