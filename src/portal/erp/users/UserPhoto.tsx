import { useEffect, useState } from 'react'
import { UserOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Alert, App, Avatar, Button, Space, Typography, Upload } from 'antd'
import { useTranslation } from 'react-i18next'
import type { TenantUser } from '../../shared/model.ts'
import { problemOf } from '../../shared/problem.ts'
import { problemText } from '../../shared/states.tsx'
import { photoQuery, useSetPhoto } from './queries.ts'

/** As the API: src/erp/identity/users/contract.ts. */
const TYPES = ['image/png', 'image/jpeg', 'image/webp']
const BYTES_MAXIMUM = 524_288

type Photographed = Pick<TenantUser, 'id' | 'photo' | 'fullName'>

export function UserAvatar({ user, size = 28 }: { user: Photographed; size?: number }) {
  const photo = useQuery(photoQuery(user))
  const address = useObjectUrl(photo.data ?? null)
  return (
    <Avatar size={size} src={address} icon={<UserOutlined aria-hidden />} alt="" style={{ flexShrink: 0 }} />
  )
}

export function UserPhotoEditor({ user, canEdit }: { user: Photographed; canEdit: boolean }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const save = useSetPhoto(user.id)
  const [chosen, setChosen] = useState<File | null>(null)
  const [refusal, setRefusal] = useState<string | null>(null)
  const preview = useObjectUrl(chosen)

  function choose(file: File) {
    const isTaken = TYPES.includes(file.type) && file.size <= BYTES_MAXIMUM
    setRefusal(isTaken ? null : t('users.photoRule'))
    setChosen(isTaken ? file : null)
    return false // not sent before it was seen
  }
  function send(file: File | null) {
    save.mutate(file, {
      onSuccess: () => {
        setChosen(null)
        void message.success(t('states.saved'))
      },
      onError: (thrown) => setRefusal(problemText(problemOf(thrown), t)),
    })
  }
  return (
    <Space orientation="vertical" size="middle">
      <Space size="large" align="center">
        {preview ? (
          <Avatar size={96} src={preview} alt={t('users.photoPreview')} />
        ) : (
          <UserAvatar user={user} size={96} />
        )}
        {canEdit && (
          <Space orientation="vertical">
            <Upload accept={TYPES.join(',')} showUploadList={false} beforeUpload={choose}>
              <Button>{t('users.photoChoose')}</Button>
            </Upload>
            <Typography.Text type="secondary">{t('users.photoRule')}</Typography.Text>
          </Space>
        )}
      </Space>
      {refusal && <Alert type="error" showIcon title={refusal} />}
      {chosen && (
        <Space>
          <Button type="primary" loading={save.isPending} onClick={() => send(chosen)}>
            {t('users.photoSave')}
          </Button>
          <Button onClick={() => setChosen(null)}>{t('actions.cancel')}</Button>
        </Space>
      )}
      {canEdit && user.photo !== null && !chosen && (
        <Button danger loading={save.isPending} onClick={() => send(null)}>
          {t('users.photoRemove')}
        </Button>
      )}
    </Space>
  )
}

function useObjectUrl(content: Blob | null): string | undefined {
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    if (content === null) return setAddress(undefined)
    const made = URL.createObjectURL(content)
    setAddress(made)
    return () => URL.revokeObjectURL(made)
  }, [content])
  return address
}
