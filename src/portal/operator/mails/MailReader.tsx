import { useQuery } from '@tanstack/react-query'
import { Alert, Descriptions, Tabs, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { HtmlFrame } from '../../shared/HtmlFrame.tsx'
import { MailStateTag } from '../../shared/MailStateTag.tsx'
import { QueryState } from '../../shared/states.tsx'
import { mailQuery } from './queries.ts'

/** Links are followed from the plain text, where each can be read before it is clicked; the HTML does nothing. */
export function MailReader({ id }: { id: string }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const found = useQuery(mailQuery(id))
  if (!found.isSuccess) return <QueryState query={found} />
  const { content, ...mail } = found.data
  const facts = [
    [t('mails.recipient'), <span className="ltr">{mail.recipient}</span>],
    [t('fields.status'), <MailStateTag state={mail.state} />],
    [t('fields.createdAt'), formats.instant(mail.createdAt)],
    [t('mails.sentAt'), formats.instant(mail.sentAt) || '–'],
    [t('mails.lastError'), <span dir="auto">{mail.lastError ?? '–'}</span>],
  ] as const
  return (
    <>
      <Descriptions
        column={1}
        size="small"
        items={facts.map(([label, children]) => ({ key: label, label, children }))}
      />
      {content === null ? (
        <Alert type="info" showIcon title={t('mails.notShown')} />
      ) : (
        <Tabs
          items={[
            {
              key: 'html',
              label: t('mails.asHtml'),
              children: <HtmlFrame title={mail.subject} html={content.html} height={460} />,
            },
            { key: 'text', label: t('mails.asText'), children: <PlainText text={content.text} /> },
          ]}
        />
      )}
    </>
  )
}

const LINK = /(https?:\/\/\S+)/

function PlainText({ text }: { text: string }) {
  return (
    <Typography.Paragraph style={{ whiteSpace: 'pre-wrap' }} dir="auto">
      {text.split(LINK).map((part, index) =>
        LINK.test(part) ? (
          <a key={index} href={part} rel="noreferrer" className="ltr">
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </Typography.Paragraph>
  )
}
