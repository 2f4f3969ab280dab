import { Checkbox, Space, Table, Tooltip } from 'antd'
import { useTranslation } from 'react-i18next'
import type { PermissionModule } from '../../shared/model.ts'
import { coveredBy, EVERYTHING, ofAbility, ofModule, toggled } from './patterns.ts'

const BASIC_ABILITIES = ['view', 'add', 'edit', 'delete'] as const

interface PermissionGridProps {
  modules: PermissionModule[]
  isReadOnly: boolean
  // Given by Form.Item.
  value?: string[]
  onChange?: (patterns: string[]) => void
}

/** Module × ability. Whole rows and columns can be given too: they stand for what later versions bring as well. */
export function PermissionGrid({ modules, isReadOnly, value = [], onChange }: PermissionGridProps) {
  const { t } = useTranslation()
  const nameOfModule = (module: string) =>
    t(`permissionModules.${module}` as 'permissionModules.users', { defaultValue: module })
  const nameOfAbility = (ability: string) =>
    t(`abilities.${ability}` as 'abilities.view', { defaultValue: ability })
  const box = (pattern: string, label: string, text?: string) => (
    <PatternBox
      pattern={pattern}
      label={label}
      text={text}
      held={value}
      isReadOnly={isReadOnly}
      onToggle={(isHeld) => onChange?.(toggled(value, pattern, isHeld))}
    />
  )
  return (
    <Space orientation="vertical" size="middle" style={{ width: '100%' }}>
      {box(EVERYTHING, t('roles.everything'), t('roles.everything'))}
      <Table
        rowKey="module"
        size="small"
        className="permission-grid"
        scroll={{ x: true }}
        pagination={false}
        dataSource={modules}
        columns={[
          {
            title: t('roles.module'),
            render: (_, { module }) => <span>{nameOfModule(module)}</span>,
          },
          {
            title: t('roles.all'),
            render: (_, { module }) =>
              box(ofModule(module), `${nameOfModule(module)}: ${t('roles.allOfModule')}`),
          },
          ...BASIC_ABILITIES.map((ability) => ({
            key: ability,
            title: (
              <Space size={4}>
                {box(ofAbility(ability), `${nameOfAbility(ability)}: ${t('roles.allOfAbility')}`)}
                {nameOfAbility(ability)}
              </Space>
            ),
            render: (_: unknown, { module, abilities }: PermissionModule) =>
              abilities.some((one) => one.ability === ability)
                ? box(`${module}:${ability}`, `${nameOfModule(module)}: ${nameOfAbility(ability)}`)
                : null,
          })),
          {
            title: t('roles.extra'),
            render: (_, { module, abilities }) => (
              <Space wrap>
                {abilities
                  .filter(({ isExtra }) => isExtra)
                  .map(({ ability, permission }) => (
                    <span key={permission}>
                      {box(
                        permission,
                        `${nameOfModule(module)}: ${nameOfAbility(ability)}`,
                        nameOfAbility(ability),
                      )}
                    </span>
                  ))}
              </Space>
            ),
          },
        ]}
      />
    </Space>
  )
}

interface PatternBoxProps {
  pattern: string
  /** For assistive technology: row and column. */
  label: string
  text: string | undefined
  held: readonly string[]
  isReadOnly: boolean
  onToggle: (isHeld: boolean) => void
}

function PatternBox({ pattern, label, text, held, isReadOnly, onToggle }: PatternBoxProps) {
  const { t } = useTranslation()
  const wider = coveredBy(held, pattern)
  const checkbox = (
    <Checkbox
      aria-label={label}
      checked={wider !== undefined || held.includes(pattern)}
      disabled={isReadOnly || wider !== undefined}
      onChange={(event) => onToggle(event.target.checked)}
    >
      {text}
    </Checkbox>
  )
  return wider === undefined || isReadOnly ? (
    checkbox
  ) : (
    <Tooltip title={t('roles.covered', { pattern: wider })}>{checkbox}</Tooltip>
  )
}
