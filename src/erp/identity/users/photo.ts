/** A user's photo, kept in the tenant's database like everything of the tenant. */
import { sql } from 'kysely'
import { implement, type Route } from '../../../http/route.ts'
import { Problem, problems, validationProblem } from '../../../kernel/problem.ts'
import { tenantSql } from '../../../tenancy/handles.ts'
import { deleteUserPhoto, getUserPhoto, PHOTO_TYPES, setUserPhoto } from './contract.ts'
import { assertOwnOrMayChange, readUser } from './records.ts'

export const photoRoutes: Route[] = [
  implement(getUserPhoto, async (tx, { params }) => {
    await readUser(tx, params.id)
    const photo = await tx.row(
      tenantSql
        .selectFrom('core.user_photo')
        .select(['content', 'content_type'])
        .where('user_id', '=', params.id),
    )
    if (!photo) throw new Problem(problems.notFound, { message: 'This user has no photo' })
    return {
      stream: once(photo.content),
      contentType: photo.content_type,
      fileName: `photo.${photo.content_type.split('/')[1]}`,
      sizeBytes: photo.content.length,
    }
  }),
  implement(setUserPhoto, async (tx, { params, body }, context) => {
    await assertOwnOrMayChange(tx, params.id, context)
    const contentType = imageTypeOf(body.content)
    if (!contentType) {
      const message = 'The photo must be a PNG, JPEG or WebP image'
      throw validationProblem([{ field: '', code: 'NO_IMAGE', message }])
    }
    const content = Buffer.from(body.content)
    await tx.run(
      sql`INSERT INTO core.user_photo (user_id, content_type, content) VALUES (${params.id}, ${contentType}, ${content})
        ON CONFLICT (user_id) DO UPDATE SET content_type = excluded.content_type, content = excluded.content`.compile(
        tenantSql,
      ),
    )
    return readUser(tx, params.id)
  }),
  implement(deleteUserPhoto, async (tx, { params }, context) => {
    await assertOwnOrMayChange(tx, params.id, context)
    await tx.run(tenantSql.deleteFrom('core.user_photo').where('user_id', '=', params.id))
    return readUser(tx, params.id)
  }),
]

async function* once(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield content
}

/** Told by the first bytes, whatever the caller says: a page of HTML named image/png is none. */
export function imageTypeOf(content: Uint8Array): (typeof PHOTO_TYPES)[number] | undefined {
  const text = (from: number, to: number): string =>
    Buffer.from(content.subarray(from, to)).toString('latin1')
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'image/png'
  if (text(0, 3) === '\xff\xd8\xff') return 'image/jpeg'
  return text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP' ? 'image/webp' : undefined
}
