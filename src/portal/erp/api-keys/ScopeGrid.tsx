import { Checkbox } from 'antd'
import { useTranslation } from 'react-i18next'

/** The usual ones come first. */
const ABILITIES = ['view', 'add', 'edit', 'delete']

interface ScopeGridProps {
  /** What may be given: what the giver holds. */
  permissions: readonly string[]
  // Given by Form.Item.
  value?: string[]
  onChange?: (scopes: string[]) => void
}

/** Scopes are named as they are in the API, where `scope=` of the token endpoint takes them. */
export function ScopeGrid({ permissions, value = [], onChange }: ScopeGridProps) {
  const { t } = useTranslation()
  return (
    <div className="scope-grid ltr" role="group" aria-label={t('apiKeys.scopes')}>
      {modulesOf(permissions).map(([module, all]) => {
        const held = all.filter((permission) => value.includes(permission))
        const others = value.filter((permission) => !all.includes(permission))
        return (
          <div key={module} className="scope-row">
            <Checkbox
              aria-label={t('apiKeys.allOf', { module })}
              checked={held.length === all.length}
              indeterminate={held.length > 0 && held.length < all.length}
              onChange={({ target }) => onChange?.(target.checked ? [...others, ...all] : others)}
            >
              <strong>{module}</strong>
            </Checkbox>
            <Checkbox.Group
              value={held}
              options={all.map((permission) => ({ value: permission, label: abilityOf(permission) }))}
              onChange={(chosen) => onChange?.([...others, ...chosen])}
            />
          </div>
        )
      })}
    </div>
  )
}

function modulesOf(permissions: readonly string[]): [string, string[]][] {
  const modules = new Map<string, string[]>()
  for (const permission of permissions) {
    const [module = ''] = permission.split(':')
    modules.set(module, [...(modules.get(module) ?? []), permission])
  }
  const rank = (permission: string): number => (ABILITIES.indexOf(abilityOf(permission)) + 5) % 5
  return [...modules]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([module, all]) => [module, all.toSorted((a, b) => rank(a) - rank(b))])
}

function abilityOf(permission: string): string {
  return permission.slice(permission.indexOf(':') + 1)
}
