import { Link } from '@tanstack/react-router'

/** Nothing where it was not about a tenant. */
export function TenantLink({ tenantId, tenantCode }: { tenantId: string | null; tenantCode: string | null }) {
  return (
    tenantId && (
      <Link to="/operator/tenants/$tenantId" params={{ tenantId }} className="ltr">
        {tenantCode}
      </Link>
    )
  )
}
