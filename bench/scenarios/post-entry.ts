/**
 * Posting a two-line entry over HTTP, everything on (authentication, permission, idempotency key, number,
 * balances, audit row), against bare `pg` inserting the same header and two lines in one transaction.
 */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import {
  call,
  interleaved,
  PASSWORD,
  request,
  throughput,
  throughputFigure,
  type Bench,
  type Scenario,
} from '../harness.ts'

const AT_ONCE = 8
const ROUND_MS = 3_000
const ROUNDS = 7
const AIM = 0.5

export const postEntry: Scenario = {
  names: ['post-entry'],
  run: async (bench) => {
    const product = await bench.serve()
    await product.createTenant('POSTING', PASSWORD)
    const headers = await product.signIn('POSTING')
    const [debit, credit] = await twoAccounts(product.url, headers)
    const ours = async (): Promise<void> => {
      const body = JSON.stringify({
        transactionDate: '2026-06-15',
        description: 'Bench entry',
        status: 'posted',
        lines: [
          { accountId: debit, debit: '125.50' },
          { accountId: credit, credit: '125.50' },
        ],
      })
      const unique = { ...headers, 'idempotency-key': randomUUID() }
      const { status, text } = await request(
        product.url,
        'POST',
        '/api/v1/finance/journal-entries',
        unique,
        body,
      )
      if (status !== 201) throw new Error(text)
    }
    const floor = await barePosting(bench)
    await throughput(AT_ONCE, ROUND_MS, ours) // warms both up
    await throughput(AT_ONCE, ROUND_MS / 3, floor.post)
    const figures = await interleaved(
      ROUNDS,
      () => throughput(AT_ONCE, ROUND_MS, ours),
      () => throughput(AT_ONCE, ROUND_MS, floor.post),
    )
    await floor.end()
    await product.stop()
    return [throughputFigure('post-entry', 'entries/s', figures, AIM, ROUNDS)]
  },
}

async function twoAccounts(url: string, headers: Record<string, string>): Promise<[string, string]> {
  const path = '/api/v1/masters/gl-accounts?controlAccount=none&postingAllowed=true&limit=2'
  const { data } = await call(url, 'GET', path, headers)
  return [data.glAccounts[0].id, data.glAccounts[1].id]
}

/** Tables of the same columns and indexes as ours in a database of their own, without triggers or row security. */
async function barePosting(
  bench: Bench,
): Promise<{ post: (worker: number) => Promise<void>; end: () => Promise<void> }> {
  const admin = await bench.connect('postgres')
  await admin.query('DROP DATABASE IF EXISTS floor_posting')
  await admin.query('CREATE DATABASE floor_posting')
  await admin.end()
  const client = await bench.connect('floor_posting')
  await client.query(SCHEMA)
  const { rows } = await client.query<{ id: string }>('SELECT id FROM gl_account')
  await client.end()
  const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => bench.connect('floor_posting')))
  const [first, second] = rows.map(({ id }) => id)
  return {
    post: (worker) => insertOnce(clients[worker] as pg.Client, first ?? '', second ?? ''),
    end: async () => void (await Promise.all(clients.map((one) => one.end()))),
  }
}

let sequence = 0

async function insertOnce(client: pg.Client, debit: string, credit: string): Promise<void> {
  const id = randomUUID()
  const number = ++sequence
  await client.query('BEGIN')
  await client.query({
    name: 'entry',
    text: `INSERT INTO journal_entry (id, company_id, journal_id, fiscal_year_id, period_id, sequence, number,
        transaction_date, posting_date, description, currency, total, line_count)
      VALUES ($1, $2, $2, $2, $2, $3, $4, '2026-06-15', '2026-06-15', 'Bench entry', 'USD', '125.50', 2)`,
    values: [id, debit, number, `JE/2026/${number}`],
  })
  await client.query({
    name: 'lines',
    text: `INSERT INTO journal_line (id, company_id, entry_id, line_number, account_id, posting_date, debit, credit,
        currency, currency_debit, currency_credit, exchange_rate)
      VALUES ($1, $4, $3, 1, $4, '2026-06-15', '125.50', 0, 'USD', '125.50', 0, 1),
        ($2, $4, $3, 2, $5, '2026-06-15', 0, '125.50', 'USD', 0, '125.50', 1)`,
    values: [randomUUID(), randomUUID(), id, debit, credit],
  })
  await client.query('COMMIT')
}

const SCHEMA = `
  CREATE TABLE gl_account (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
  INSERT INTO gl_account SELECT FROM generate_series(1, 2);
  CREATE TABLE journal_entry (
    id uuid PRIMARY KEY, company_id uuid NOT NULL, journal_id uuid NOT NULL, fiscal_year_id uuid NOT NULL,
    period_id uuid NOT NULL, sequence bigint NOT NULL, number text NOT NULL, transaction_date date NOT NULL,
    posting_date date NOT NULL, description text, reference text, source_type text, source_id text,
    reverses_id uuid UNIQUE, currency text NOT NULL, total numeric(19, 4) NOT NULL, line_count integer NOT NULL,
    posted_by uuid, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (company_id, journal_id, fiscal_year_id, sequence));
  CREATE INDEX ON journal_entry (company_id, posting_date DESC, id DESC);
  CREATE TABLE journal_line (
    id uuid PRIMARY KEY, company_id uuid NOT NULL, entry_id uuid NOT NULL REFERENCES journal_entry,
    line_number integer NOT NULL, account_id uuid NOT NULL REFERENCES gl_account, posting_date date NOT NULL,
    debit numeric(19, 4) NOT NULL, credit numeric(19, 4) NOT NULL, currency text NOT NULL,
    currency_debit numeric(19, 4) NOT NULL, currency_credit numeric(19, 4) NOT NULL,
    exchange_rate numeric(28, 12) NOT NULL, description text, created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(), UNIQUE (entry_id, line_number));
  CREATE INDEX ON journal_line (company_id, account_id, posting_date, id)`
