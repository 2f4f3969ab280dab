import { useEffect, useRef, type ReactNode } from 'react'

/** News above a long form is scrolled to: whoever pressed the button below it must see what came of it. */
export function InView({ news, children }: { news: unknown; children: ReactNode }) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    place.current?.scrollIntoView({ block: 'nearest' })
  }, [news])
  return (
    <div ref={place} style={{ scrollMarginBlock: 72 }}>
      {children}
    </div>
  )
}
