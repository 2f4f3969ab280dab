/** Which companies a user works in. SQL over `u`, a row of core.app_user, the same for everybody who asks. */

/** Whether `c`, a row of core.company, is among them. */
export const WORKS_IN = `(u.all_companies OR EXISTS (
  SELECT FROM core.user_company m WHERE m.user_id = u.id AND m.company_id = c.id))`

/** And is worked in at all. */
export const MAY_ENTER = `c.is_active AND c.deleted_at IS NULL AND ${WORKS_IN}`

export const COMPANY_IDS = `ARRAY(SELECT c.id::text FROM core.company c WHERE ${MAY_ENTER} ORDER BY c.code)`
