import type { ReactNode } from 'react'

/** A filter with its name above it; the label element names the control for assistive technology too. */
export function Labelled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <label className="labelled">
      {label}
      {children}
    </label>
  )
}
