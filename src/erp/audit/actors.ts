/**
 * What those who acted are called: users and API keys by their names, operators as they called themselves when they
 * were let in last (this database knows no operators). Of an alias that has `actor_kind` and `actor_id`.
 */
export const actorName = `coalesce(actor_user.full_name, actor_key.name, actor_support.operator_name)`

export function actorJoins(alias: string): string {
  return `LEFT JOIN core.app_user actor_user ON actor_user.id = ${alias}.actor_id
    LEFT JOIN core.api_key actor_key ON actor_key.id = ${alias}.actor_id
    LEFT JOIN LATERAL (
      SELECT s.operator_name FROM core.support_session s
      WHERE ${alias}.actor_kind = 'operator' AND s.operator_id = ${alias}.actor_id ORDER BY s.id DESC LIMIT 1
    ) actor_support ON true`
}
