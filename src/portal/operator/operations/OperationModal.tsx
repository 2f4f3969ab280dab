import { useCallback } from 'react'
import { useQueryClient } from '@tanstack/react-query'
import { Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { OperationProgress } from './OperationProgress.tsx'

interface OperationModalProps {
  title: string
  id: string
  onClose: () => void
}

/** Long work that was just begun. It goes on when this is closed; when it ends, what it changed is read anew. */
export function OperationModal({ title, id, onClose }: OperationModalProps) {
  const { t } = useTranslation()
  const queryClient = useQueryClient()
  const refresh = useCallback(() => void queryClient.invalidateQueries(), [queryClient])
  return (
    <Modal open title={title} footer={null} onCancel={onClose}>
      <OperationProgress id={id} failedText={t('operations.failed')} onOver={refresh} />
    </Modal>
  )
}
