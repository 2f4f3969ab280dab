import type { TenantContext } from '../../http/route.ts'

/** What a tenant's side of support needs from the platform. */
export interface SupportPorts {
  /** Ends a session whose end the tenant's database may have already, on all processes, and writes it down there too. */
  end(sessionId: string, reason: string, context: TenantContext): Promise<void>
  /** What support may do here is another than before: every process looks it up again. */
  tellConsent(): Promise<void>
  /** Exchanges the single-use code of an operator's browser; undefined: it is none, not for this tenant, or used. */
  redeem(
    code: string,
    context: TenantContext,
  ): Promise<
    { token: string; expiresIn: number; sessionId: string; permissions: ReadonlySet<string> } | undefined
  >
}
