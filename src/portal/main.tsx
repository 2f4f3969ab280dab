import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { RouterProvider } from '@tanstack/react-router'
import { AppProviders } from './shared/AppProviders.tsx'
import { startTranslations } from './shared/translations.ts'
import { router } from './router.tsx'
import './shared/styles.css'

const container = document.getElementById('root')
if (!container) throw new Error('index.html has no #root')

// A newer release has other files than the page that is open: a screen that is gone is fetched by reloading.
// Not right after a load, where the file is missing for another reason and would be missing again.
const RELOAD_AFTER_MS = 10_000
window.addEventListener('vite:preloadError', () => {
  if (performance.now() > RELOAD_AFTER_MS) window.location.reload()
})

await startTranslations()
createRoot(container).render(
  <StrictMode>
    <AppProviders>
      <RouterProvider router={router} />
    </AppProviders>
  </StrictMode>,
)
