import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Select, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { changeCompany } from '../shared/client.ts'
import { useTellProblem } from '../shared/useTellProblem.ts'
import { useCompany, useUser } from './useCompany.ts'

/** The company whose books are open; where there are several, the way to the others. */
export function CompanySwitch() {
  const { t } = useTranslation()
  const user = useUser()
  const company = useCompany()
  const change = useChange()
  if (!user || !company) return null
  // Support is let into one.
  if (user.companies.length < 2 || user.support?.isCaller) {
    return (
      <span>
        {company.name} <Tag className="ltr">{company.baseCurrency}</Tag>
      </span>
    )
  }
  return (
    <Select
      aria-label={t('companies.change')}
      value={company.id}
      variant="borderless"
      popupMatchSelectWidth={false}
      showSearch={{ optionFilterProp: 'label' }}
      loading={change.isPending}
      disabled={change.isPending}
      options={user.companies.map(({ id, name, baseCurrency }) => ({
        value: id,
        label: `${name} (${baseCurrency})`,
      }))}
      onChange={(companyId) => change.mutate(companyId)}
    />
  )
}

function useChange() {
  const navigate = useNavigate()
  const tellProblem = useTellProblem()
  return useMutation({
    mutationFn: async (companyId: string) => {
      // No page of one company is left open in another's. Who would lose what they typed is asked, and may stay.
      await navigate({ to: '/' })
      if (window.location.pathname === '/') await changeCompany(companyId)
    },
    onError: tellProblem,
  })
}
