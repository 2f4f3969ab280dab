import { useState } from 'react'
import { flushSync } from 'react-dom'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Button, Card, Form, Steps } from 'antd'
import { useTranslation } from 'react-i18next'
import type { CreatedTenant, NewTenant, TenantOptions } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { fieldPath, problemOf } from '../../shared/problem.ts'
import { ProblemAlert, QueryState } from '../../shared/states.tsx'
import { useFormProblem } from '../../shared/useFormProblem.ts'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { AdminStep, CompanyStep, PlanStep } from './NewTenantSteps.tsx'
import { createTenant, tenantOptionsQuery } from './queries.ts'
import { TenantProgress } from './TenantProgress.tsx'

/** Which fields each step asks for: where to go back to when the server objects. */
const stepFields: (keyof NewTenant)[][] = [
  ['companyName', 'tenantCode', 'subdomain'],
  ['planCode', 'country', 'currency', 'chartTemplate'],
  ['adminName', 'adminEmail', 'adminPassword'],
]
const PROGRESS_STEP = stepFields.length

export function NewTenantPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const options = useQuery(tenantOptionsQuery)
  return (
    <>
      <PageHeader title={t('tenants.create')} onBack={() => void navigate({ to: '/operator/tenants' })} />
      {options.isSuccess ? <Wizard options={options.data} /> : <QueryState query={options} />}
    </>
  )
}

function Wizard({ options }: { options: TenantOptions }) {
  const { t } = useTranslation()
  const [form] = Form.useForm<NewTenant>()
  const [step, setStep] = useState(0)
  const [created, setCreated] = useState<CreatedTenant | null>(null)
  const { formProblem, create } = useCreation(form, setStep, setCreated)

  /** The fields of the shown page have been checked. */
  function goOn() {
    if (step < PROGRESS_STEP - 1) setStep(step + 1)
    else create.mutate(withoutBlanks(form.getFieldsValue(true)))
  }

  const titles = [t('wizard.company'), t('wizard.plan'), t('wizard.admin'), t('wizard.progress')]
  return (
    <Card style={{ maxWidth: 760 }}>
      <Steps
        size="small"
        current={step}
        items={titles.map((title) => ({ title }))}
        style={{ marginBlockEnd: 28 }}
      />
      {created ? (
        <TenantProgress created={created} />
      ) : (
        <Form
          form={form}
          layout="vertical"
          requiredMark="optional"
          onFinish={goOn}
          initialValues={{ planCode: options.plans[0]?.code, chartTemplate: options.chartTemplates[0]?.code }}
        >
          <ProblemAlert error={formProblem.problem} unplaced={formProblem.unplaced} />
          {step === 0 && <CompanyStep form={form} />}
          {step === 1 && <PlanStep options={options} />}
          {step === 2 && <AdminStep />}
          <div style={{ display: 'flex', justifyContent: 'space-between', marginBlockStart: 8 }}>
            <Button disabled={step === 0} onClick={() => setStep(step - 1)}>
              {t('actions.previous')}
            </Button>
            <Button type="primary" htmlType="submit" loading={create.isPending}>
              {step === PROGRESS_STEP - 1 ? t('tenants.create') : t('actions.next')}
            </Button>
          </div>
        </Form>
      )}
    </Card>
  )
}

function useCreation(
  form: ReturnType<typeof Form.useForm<NewTenant>>[0],
  setStep: (step: number) => void,
  setCreated: (created: CreatedTenant) => void,
) {
  const queryClient = useQueryClient()
  const formProblem = useFormProblem(form)
  const submission = useSubmissionKey()
  const create = useMutation({
    mutationFn: (body: NewTenant) => createTenant(body, submission.keyFor(body)),
    onMutate: formProblem.clear,
    onError: (thrown) => {
      const wrong = new Set(problemOf(thrown).fields.map(({ field }) => fieldPath(field)[0]))
      const firstWrong = stepFields.findIndex((fields) => fields.some((field) => wrong.has(field)))
      // The page must be there before its fields can show what is wrong with them.
      if (firstWrong >= 0) flushSync(() => setStep(firstWrong))
      formProblem.show(thrown)
    },
    onSuccess: (answer) => {
      submission.done()
      void queryClient.invalidateQueries({ queryKey: ['tenants'] })
      setStep(PROGRESS_STEP)
      setCreated(answer)
    },
  })
  return { formProblem, create }
}

function withoutBlanks(values: NewTenant): NewTenant {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== ''),
  ) as unknown as NewTenant
}
