/**
 * Support in a tenant's own database: consent, who is let in and sent away, and the evidence of what was looked at.
 * The platform keeps a row of its own for each session, and asks both (platform/support/sessions.ts).
 */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Problem } from '../../kernel/problem.ts'
import { languageOfCountry } from '../../mail/templates.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { statement, tenantSql, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import type { SupportVisit } from './contract.ts'
import { supportProblems } from './problems.ts'

export type SupportAccessKind = 'read' | 'write'

export interface Consent {
  readonly allowsSupport: boolean
  readonly writeUntil: string | null
  /** null: as it was from the beginning. */
  readonly updatedAt: string | null
}

export interface SupportAdmission {
  readonly sessionId: string
  readonly operator: { readonly id: string; readonly fullName: string; readonly email: string }
  readonly reason: string
  readonly access: SupportAccessKind
  /** undefined: the first one. */
  readonly companyCode: string | undefined
  readonly expiresAt: Date
  readonly now: Date
  readonly address: string | null
  readonly userAgent: string | null
  /** Where the tenant sees who is there, and sends them away. */
  readonly link: string
}

export interface Admitted {
  readonly companyId: string
  /** Not longer than the consent to change. */
  readonly expiresAt: Date
}

const ADMINISTRATORS_TOLD_MAXIMUM = 50
const VISITS_SHOWN_MAXIMUM = 100

export async function readConsent(tx: TenantRead): Promise<Consent> {
  const row = await tx.row(
    sql<Consent>`SELECT allows_support AS "allowsSupport", write_until AS "writeUntil",
      updated_at AS "updatedAt" FROM core.support_access`.compile(tenantSql),
  )
  return row ?? { allowsSupport: true, writeUntil: null, updatedAt: null }
}

/** Lets an operator in, if the tenant lets them: its administrators are told by mail. */
export async function admitSupport(
  tx: TenantTx,
  mails: Outbox<TenantTx>,
  admission: SupportAdmission,
): Promise<Admitted> {
  const { sessionId, operator, reason, access, now } = admission
  const consent = await readConsent(tx)
  if (!consent.allowsSupport) throw new Problem(supportProblems.refused)
  const until = consent.writeUntil === null ? undefined : new Date(consent.writeUntil)
  if (access === 'write' && (until === undefined || until <= now)) {
    throw new Problem(supportProblems.noConsent)
  }
  const company = await tx.row(
    sql<{ id: string; name: string; country: string }>`SELECT id, name, country FROM core.company
      WHERE is_active AND deleted_at IS NULL
        AND (${admission.companyCode ?? null}::text IS NULL OR lower(code) = lower(${admission.companyCode ?? null}))
      ORDER BY code LIMIT 1`.compile(tenantSql),
  )
  if (!company) throw new Problem(supportProblems.noCompany)
  const isCut = access === 'write' && until !== undefined && until < admission.expiresAt
  const expiresAt = isCut ? until : admission.expiresAt
  await tx.run(
    sql`INSERT INTO core.support_session (id, operator_id, operator_name, operator_email, reason, access,
        entered_company_id, address, user_agent, expires_at)
      VALUES (${sessionId}, ${operator.id}, ${operator.fullName}, ${operator.email}, ${reason}, ${access},
        ${company.id}, ${admission.address}, ${admission.userAgent}, ${expiresAt.toISOString()})`.compile(
      tenantSql,
    ),
  )
  await tellAdministrators(tx, mails, { ...admission, expiresAt }, company)
  return { companyId: company.id, expiresAt }
}

async function tellAdministrators(
  tx: TenantTx,
  mails: Outbox<TenantTx>,
  { operator, reason, access, expiresAt, link }: SupportAdmission,
  company: { readonly name: string; readonly country: string },
): Promise<void> {
  const administrators = await tx.rows(
    sql<{ fullName: string; email: string }>`SELECT u.full_name AS "fullName", u.email FROM core.app_user u
      JOIN core.role r ON r.id = u.role_id AND r.is_active AND r.permissions @> '{*}'
      WHERE u.is_active AND u.deleted_at IS NULL ORDER BY u.id LIMIT ${ADMINISTRATORS_TOLD_MAXIMUM}`.compile(
      tenantSql,
    ),
  )
  for (const { fullName, email } of administrators) {
    await mails.enqueue(tx, {
      template: 'support-began',
      values: {
        fullName,
        operatorName: operator.fullName,
        companyName: company.name,
        reason,
        mayChange: access === 'write',
        until: expiresAt.toISOString().slice(0, 16).replace('T', ' '),
        link,
      },
      language: languageOfCountry(company.country),
      to: email,
    })
  }
}

/** Sends one away; who was away already stays away for the first reason. Answers what is written of them. */
export async function dismissSupport(
  tx: TenantTx,
  sessionId: string,
  reason: string,
): Promise<{ endReason: string; requestCount: number } | undefined> {
  await tx.run(
    sql`UPDATE core.support_session SET ended_at = now(), end_reason = ${reason}
      WHERE id = ${sessionId} AND ended_at IS NULL`.compile(tenantSql),
  )
  return tx.row(
    sql<{ endReason: string; requestCount: number }>`SELECT end_reason AS "endReason",
      request_count AS "requestCount" FROM core.support_session WHERE id = ${sessionId}`.compile(tenantSql),
  )
}

export interface SupportStay {
  readonly operatorId: string
  readonly operatorEmail: string
  readonly companyId: string
  readonly access: SupportAccessKind
  /** As of now: the tenant may have changed its mind. */
  readonly mayChange: boolean
  readonly expiresAt: string
}

/** Somebody who is in, by this tenant's own word. */
export async function supportStay(tx: TenantRead, sessionId: string): Promise<SupportStay | undefined> {
  const [stay] = await tx.prepared(STAY, [sessionId])
  return stay
}

const STAY = statement<SupportStay>(
  'support-stay',
  `SELECT s.operator_id AS "operatorId", s.operator_email AS "operatorEmail",
     s.entered_company_id AS "companyId", s.access, s.expires_at AS "expiresAt",
     s.access = 'write' AND coalesce(a.write_until > now(), false) AS "mayChange"
   FROM core.support_session s
   JOIN core.company c ON c.id = s.entered_company_id AND c.is_active AND c.deleted_at IS NULL
   LEFT JOIN core.support_access a ON true
   WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > now() AND coalesce(a.allows_support, true)`,
)

/** How often each operation was asked for since the last time. */
export async function witnessSupport(
  tx: TenantTx,
  sessionId: string,
  counts: Readonly<Record<string, number>>,
  lastRequestAt: Date,
): Promise<void> {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  await tx.run(
    sql`UPDATE core.support_session SET request_count = request_count + ${total},
        last_request_at = greatest(last_request_at, ${lastRequestAt.toISOString()}),
        operations = operations || (SELECT coalesce(jsonb_object_agg(key, value::bigint
          + coalesce((operations ->> key)::bigint, 0)), '{}') FROM jsonb_each_text(${JSON.stringify(counts)}::jsonb))
      WHERE id = ${sessionId}`.compile(tenantSql),
  )
}

// ---- shown ---------------------------------------------------------------------------------------------

const VISIT = `id, operator_name AS "operatorName", reason, access, address, user_agent AS "userAgent",
  created_at AS "beganAt", expires_at AS "endsAt",
  CASE WHEN ended_at IS NULL AND expires_at <= now() THEN expires_at ELSE ended_at END AS "endedAt",
  end_reason AS "endReason", ended_at IS NULL AND expires_at > now() AS "isActive",
  request_count AS "requestCount", last_request_at AS "lastRequestAt",
  coalesce((SELECT jsonb_agg(jsonb_build_object('name', key, 'count', value::bigint)
    ORDER BY value::bigint DESC, key) FROM jsonb_each_text(operations)), '[]') AS operations`

export async function listSupportVisits(tx: TenantRead): Promise<Static<typeof SupportVisit>[]> {
  return tx.prepared(VISITS, [VISITS_SHOWN_MAXIMUM])
}

const VISITS = statement<Static<typeof SupportVisit>>(
  'support-visits',
  `SELECT ${VISIT} FROM core.support_session ORDER BY id DESC LIMIT $1`,
)

export interface CurrentSupport {
  readonly sessionId: string
  readonly operatorId: string
  readonly operatorName: string
  readonly reason: string
  readonly access: SupportAccessKind
  readonly endsAt: string
}

/** Who is in now, whoever stays longest first. */
export async function currentSupport(tx: TenantRead): Promise<CurrentSupport | undefined> {
  const [current] = await tx.prepared(CURRENT, [null])
  return current
}

/** Who asks, and what the portal needs to show them the tenant. */
export async function supportCaller(
  tx: TenantRead,
  sessionId: string,
): Promise<(CurrentSupport & Whereabouts) | undefined> {
  const [current] = await tx.prepared(CURRENT, [sessionId])
  if (!current) return undefined
  const [whereabouts] = await tx.prepared(WHEREABOUTS, [sessionId])
  return whereabouts && { ...current, ...whereabouts }
}

const CURRENT = statement<CurrentSupport>(
  'support-current',
  `SELECT id AS "sessionId", operator_id AS "operatorId", operator_name AS "operatorName", reason, access,
     expires_at AS "endsAt"
   FROM core.support_session
   WHERE ended_at IS NULL AND expires_at > now() AND ($1::uuid IS NULL OR id = $1)
   ORDER BY expires_at DESC LIMIT 1`,
)

interface Whereabouts {
  readonly operatorEmail: string
  readonly companyId: string
  readonly companies: { id: string; code: string; name: string; baseCurrency: string }[]
}

const WHEREABOUTS = statement<Whereabouts>(
  'support-whereabouts',
  `SELECT s.operator_email AS "operatorEmail", s.entered_company_id AS "companyId",
     (SELECT json_agg(json_build_object('id', c.id, 'code', c.code, 'name', c.name,
         'baseCurrency', c.base_currency) ORDER BY c.code)
       FROM core.company c WHERE c.is_active AND c.deleted_at IS NULL AND c.id = s.entered_company_id) AS companies
   FROM core.support_session s WHERE s.id = $1`,
)
