import { expect, test } from 'vitest'
import { publicAddress, tenantAddress } from './addresses.ts'
import { readConfiguration } from './configuration.ts'

const SECRET_KEY = 'a-secret-key-for-tests-only-0123456789'

test.each([
  [{}, 3000, 'http://localhost:3000', 'http://acme.localhost:3000'],
  [{ PORT: '4000' }, 4000, 'http://localhost:4000', 'http://acme.localhost:4000'],
  [{ PORT: '0' }, 0, 'http://localhost', 'http://acme.localhost'],
  [{ BASE_DOMAIN: 'erp.test' }, 80, 'http://erp.test:80', 'http://acme.erp.test'],
  [
    { PUBLIC_URL: 'https://erp.example.com/' },
    3000,
    'https://erp.example.com',
    'https://acme.erp.example.com',
  ],
  [
    { PUBLIC_URL: 'https://www.example.com:8443', BASE_DOMAIN: 'example.com' },
    3000,
    'https://www.example.com:8443',
    'https://acme.example.com:8443',
  ],
  [{ PUBLIC_URL: 'http://10.0.0.7:3000' }, 3000, 'http://10.0.0.7:3000', 'http://acme.localhost:3000'],
])('%j', (environment, port, ours, tenants) => {
  const configuration = readConfiguration({ SECRET_KEY, ...environment })
  expect(publicAddress(configuration, port)).toBe(ours)
  expect(tenantAddress(configuration, port, 'acme')).toBe(tenants)
})
