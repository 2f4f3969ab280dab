import { useState } from 'react'
import { DownloadOutlined, InboxOutlined } from '@ant-design/icons'
import { Alert, Button, Modal, Result, Table, Typography, Upload } from 'antd'
import { useTranslation } from 'react-i18next'
import { problemOf, type FieldProblem } from '../../shared/problem.ts'
import { saveFile } from '../../shared/saveFile.ts'
import { problemText, ProblemAlert } from '../../shared/states.tsx'
import { useInviteFile } from './queries.ts'

/** Its columns are those of POST /users/invitations. */
const TEMPLATE = `fullName,email,role,phone,joinDate,companies
Sami Hassan,sami@example.com,Accountant,+20 100 000 0000,2026-01-31,*
`

interface LineProblem extends FieldProblem {
  line?: number
}

/** Everybody in the file or nobody: each wrong line is told, and the file is sent again when it is right. */
export function InviteFileDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const invite = useInviteFile()
  const [file, setFile] = useState<File | null>(null)
  const wrong: readonly LineProblem[] = invite.error ? problemOf(invite.error).fields : []
  const isDone = invite.isSuccess
  return (
    <Modal
      open
      width={760}
      title={t('users.inviteMany')}
      okText={isDone ? t('users.close') : t('users.sendFile')}
      cancelButtonProps={isDone ? { style: { display: 'none' } } : {}}
      okButtonProps={{ disabled: file === null, loading: invite.isPending }}
      onOk={() => (isDone ? onClose() : file && invite.mutate(file))}
      onCancel={onClose}
    >
      {isDone ? (
        <Result status="success" title={t('users.invitedMany', { number: invite.data.count })}>
          <ul>
            {invite.data.users.slice(0, 20).map(({ id, fullName, email }) => (
              <li key={id}>
                <bdi>{fullName}</bdi> <span className="ltr">{email}</span>
              </li>
            ))}
          </ul>
        </Result>
      ) : (
        <>
          <Typography.Paragraph>{t('users.fileHint')}</Typography.Paragraph>
          <Button
            icon={<DownloadOutlined />}
            style={{ marginBlockEnd: 16 }}
            onClick={() => saveFile(new Blob([TEMPLATE], { type: 'text/csv' }), 'users.csv')}
          >
            {t('users.template')}
          </Button>
          <Upload.Dragger
            accept=".csv,text/csv"
            maxCount={1}
            fileList={
              file ? [{ uid: 'file', name: file.name, status: wrong.length > 0 ? 'error' : 'done' }] : []
            }
            beforeUpload={(chosen) => {
              invite.reset()
              setFile(chosen)
              return false // sent when the button is pressed
            }}
            onRemove={() => {
              invite.reset()
              setFile(null)
            }}
          >
            <p className="ant-upload-drag-icon">
              <InboxOutlined aria-hidden />
            </p>
            <p>{t('users.dropFile')}</p>
          </Upload.Dragger>
          <div style={{ marginBlockStart: 16 }}>
            {invite.error && wrong.length === 0 && <ProblemAlert error={invite.error} />}
            {wrong.length > 0 && <WrongLines wrong={wrong} title={problemText(problemOf(invite.error), t)} />}
          </div>
        </>
      )}
    </Modal>
  )
}

function WrongLines({ wrong, title }: { wrong: readonly LineProblem[]; title: string }) {
  const { t } = useTranslation()
  return (
    <>
      <Alert type="error" showIcon title={t('users.nobodyInvited')} description={title} />
      <Table
        rowKey={({ line, field, code }) => `${line} ${field} ${code}`}
        size="small"
        style={{ marginBlockStart: 12 }}
        scroll={{ x: true, y: 260 }}
        pagination={false}
        dataSource={[...wrong]}
        columns={[
          { title: t('users.line'), width: 80, render: (_, { line }) => line ?? '–' },
          { title: t('users.column'), render: (_, { field }) => <span className="ltr">{field || '–'}</span> },
          { title: t('users.problem'), render: (_, { message }) => <span dir="auto">{message}</span> },
        ]}
      />
    </>
  )
}
