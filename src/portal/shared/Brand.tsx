export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" style={{ flex: 'none' }}>
      <rect width="32" height="32" rx="7" fill="#0f6e66" />
      <path d="M8 10h16M8 16h10M8 22h16" stroke="#fff" strokeWidth="3" strokeLinecap="round" />
    </svg>
  )
}

export const productName = 'Solution ERP'
