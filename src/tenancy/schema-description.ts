/**
 * What a database is like, read from its catalogue: every object with its definition and its rights, without
 * its rows, and whatever the database and its runtime role are called. Two databases that were made alike tell the same.
 */
import { createHash } from 'node:crypto'
import { withClient } from './databases.ts'
import type { DatabaseAddress } from './pools.ts'
import { literal } from './sql-text.ts'

/** `index finance.journal_line_account` → its definition. */
export type SchemaDescription = ReadonlyMap<string, string>

export interface SchemaDifference {
  readonly kind: 'missing' | 'unexpected' | 'different'
  readonly object: string
  readonly expected: string | null
  readonly found: string | null
}

/** Not the bookkeeping of the migrations themselves. */
const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema', 'migrations') AND n.nspname !~ '^pg_(toast|temp)'`
const RIGHTS = (acl: string, kind: string, owner: string): string =>
  `(SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(${acl}, acldefault('${kind}', ${owner}))) a)`
const OWNER = (owner: string): string => `'owner ' || pg_get_userbyid(${owner})`

const PARTS: readonly string[] = [
  `SELECT 'schema ' || n.nspname AS object, concat_ws('; ', ${OWNER('nspowner')}, ${RIGHTS('nspacl', 'n', 'nspowner')}) AS definition
   FROM pg_namespace n WHERE ${OURS}`,
  `SELECT format('%s %s.%s', CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
       WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE relkind::text END, n.nspname, relname),
     concat_ws('; ', ${OWNER('relowner')}, CASE WHEN relrowsecurity THEN 'row level security' END,
       CASE WHEN relforcerowsecurity THEN 'forced' END, array_to_string(reloptions, ','),
       CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
       ${RIGHTS('relacl', 'r', 'relowner')})
   FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${OURS} AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')`,
  `SELECT format('column %s.%s.%s', n.nspname, relname, attname),
     concat_ws('; ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END,
       CASE WHEN attidentity <> '' THEN 'identity ' || attidentity::text END, CASE WHEN attgenerated <> '' THEN 'generated' END,
       'default ' || pg_get_expr(d.adbin, d.adrelid), array_to_string(attacl, ' '))
   FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
   LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = attnum
   WHERE ${OURS} AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f')`,
  `SELECT format('constraint %s.%s.%s', n.nspname, t.relname, conname), pg_get_constraintdef(c.oid)
   FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace WHERE ${OURS}`,
  `SELECT format('index %s.%s', n.nspname, c.relname),
     concat_ws('; ', pg_get_indexdef(c.oid), CASE WHEN NOT indisvalid THEN 'invalid' END)
   FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  `SELECT format('trigger %s.%s.%s', n.nspname, relname, tgname),
     concat_ws('; ', pg_get_triggerdef(t.oid), CASE WHEN tgenabled <> 'O' THEN 'enabled ' || tgenabled::text END)
   FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
   WHERE NOT tgisinternal AND ${OURS}`,
  `SELECT format('function %s.%s(%s)', n.nspname, proname, pg_get_function_identity_arguments(p.oid)),
     concat_ws('; ', ${OWNER('proowner')}, 'text ' || CASE WHEN prokind = 'a' THEN 'aggregate' ELSE md5(pg_get_functiondef(p.oid)) END,
       ${RIGHTS('proacl', 'f', 'proowner')})
   FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE ${OURS}
     AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = p.oid AND e.classid = 'pg_proc'::regclass AND e.deptype = 'e')`,
  `SELECT format('policy %s.%s.%s', schemaname, tablename, policyname), concat_ws('; ', permissive, roles::text, cmd,
     'using ' || qual, 'check ' || with_check)
   FROM pg_policies n WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  `SELECT format('type %s.%s', n.nspname, typname), concat_ws('; ', typtype,
     (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), format_type(typbasetype, typtypmod))
   FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE ${OURS} AND typtype IN ('e', 'd')`,
  `SELECT 'extension ' || extname, extversion FROM pg_extension`,
  `SELECT format('default rights of %s on %s in %s', pg_get_userbyid(defaclrole), defaclobjtype, coalesce(n.nspname, 'all')),
     array_to_string(defaclacl, ' ')
   FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace`,
  `SELECT 'setting ' || setting, '' FROM pg_db_role_setting s, unnest(setconfig) setting
   WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`,
]

/** `runtimeRole`: may enter; any other role that may is told as a way in. */
export async function describeSchema(
  address: DatabaseAddress,
  runtimeRole: string | null,
): Promise<SchemaDescription> {
  const name = runtimeRole === null ? 'NULL' : literal(runtimeRole)
  const doors = `SELECT 'way in for ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END,
      string_agg(privilege_type, ',' ORDER BY privilege_type)
    FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = current_database() AND grantee <> datdba
      AND NOT (privilege_type = 'CONNECT' AND grantee = coalesce((SELECT oid FROM pg_roles WHERE rolname = ${name}), 0) AND ${name} IS NOT NULL)
    GROUP BY grantee`
  return withClient(address, async (client) => {
    // Names in full in every definition, whatever the role's search path is.
    await client.query(`SET search_path = ''`)
    const { rows } = await client.query<{ object: string; definition: string | null }>(
      [...PARTS, doors].join('\nUNION ALL\n'),
    )
    const plain = (text: string): string =>
      runtimeRole === null ? text : text.replaceAll(runtimeRole, '<runtime role>')
    const described = rows.map(({ object, definition }): [string, string] => [
      plain(object),
      plain(definition ?? ''),
    ])
    return new Map(described.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}

export function fingerprintOf(description: SchemaDescription): string {
  const hash = createHash('sha256')
  for (const [object, definition] of description) hash.update(`${object}\n${definition}\n`)
  return hash.digest('hex').slice(0, 16)
}

export function compareSchemas(expected: SchemaDescription, found: SchemaDescription): SchemaDifference[] {
  const objects = [...new Set([...expected.keys(), ...found.keys()])].toSorted()
  return objects.flatMap((object): SchemaDifference[] => {
    const [wanted, there] = [expected.get(object) ?? null, found.get(object) ?? null]
    if (wanted === there) return []
    const kind = there === null ? 'missing' : wanted === null ? 'unexpected' : 'different'
    return [{ kind, object, expected: wanted, found: there }]
  })
}
