interface HtmlFrameProps {
  /** What assistive technology calls it. */
  title: string
  html: string
  height?: number
}

/**
 * HTML that others have written, such as a mail: in a frame of its own that may do nothing, neither run scripts
 * nor follow links nor send forms. Always light, as mails are written for paper.
 */
export function HtmlFrame({ title, html, height = 320 }: HtmlFrameProps) {
  return (
    <iframe
      key={html} // a frame that is still loading may miss that its content has changed
      title={title}
      sandbox=""
      srcDoc={`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data: https:">${html}`}
      className="html-frame"
      style={{ height }}
    />
  )
}
