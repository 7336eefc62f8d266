import type { Knex } from 'knex'

import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { migrateWithoutSearch, silenceConsole } from './support/migrations.ts'
import { valueOf } from './support/value-of.ts'

silenceConsole()

const CLIENTS = 16
const workers = Array.from({ length: CLIENTS }, (_, index) => `worker-${index}`)

const ago = (knex: Knex, interval: string): Knex.Raw => knex.raw(`now() - interval '${interval}'`)

/** Adds a job that was due a minute ago. */
async function addJob(knex: Knex, job_name: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const job = { job_name, job_type: 'report', scheduled_for: ago(knex, '1 minute'), ...more }
  await knex('scheduled_jobs').insert(job)
}

/** Claims jobs for a worker until there is none, and returns their names in that order. */
async function claimAll(knex: Knex, worker: string, ...more: readonly unknown[]): Promise<string[]> {
  const claimed: string[] = []
  for (;;) {
    const id = await valueOf(knex, 'claim_job', worker, ...more)
    if (id === null) return claimed
    claimed.push(
      ...(await knex('scheduled_jobs')
        .where({ id: id as string })
        .pluck<string[]>('job_name')),
    )
  }
}

describeOnEveryDatabase('claim_job', (database) => {
  test('takes the due jobs by priority, the earliest first, and then none', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await addJob(knex, 'late', { scheduled_for: ago(knex, '1 minute') })
    await addJob(knex, 'early', { scheduled_for: ago(knex, '1 hour') })
    await addJob(knex, 'urgent', { priority: 5 })
    await addJob(knex, 'whenever', { priority: -1 })
    await addJob(knex, 'unranked', { priority: null })
    await addJob(knex, 'tomorrow', { priority: 9, scheduled_for: knex.raw(`now() + interval '1 day'`) })
    for (const status of ['running', 'completed', 'failed']) await addJob(knex, status, { priority: 9, status })
    expect(await claimAll(knex, 'one')).toEqual(['urgent', 'early', 'late', 'whenever', 'unranked'])
  })

  test('takes jobs of the given types only', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    for (const job_type of ['mail', 'report', 'backup']) await addJob(knex, job_type, { job_type })
    expect(await claimAll(knex, 'one', [])).toEqual([])
    expect((await claimAll(knex, 'one', ['mail', 'backup'])).toSorted()).toEqual(['backup', 'mail'])
    expect(await claimAll(knex, 'one', null)).toEqual(['report'])
  })

  test('leaves a job that is locked, and takes it once the lock has expired', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    const later = knex.raw(`now() + interval '1 minute'`)
    await addJob(knex, 'locked', { locked_by: 'other', locked_until: later })
    await addJob(knex, 'expired', { locked_by: 'other', locked_until: ago(knex, '1 second') })
    expect(await claimAll(knex, 'one')).toEqual(['expired'])
  })

  test('marks the job as running, and locks it for five minutes or the given time', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await addJob(knex, 'first', { priority: 1 })
    await addJob(knex, 'second')
    await valueOf(knex, 'claim_job', 'one')
    await valueOf(knex, 'claim_job', 'two', null, 60)
    const seconds = knex.raw('round(extract(epoch from locked_until - started_at))::int as seconds')
    const columns = ['job_name', 'status', 'locked_by', 'retry_count', 'completed_at', seconds]
    expect(await knex('scheduled_jobs').select(columns).orderBy('job_name')).toEqual([
      { job_name: 'first', status: 'running', locked_by: 'one', retry_count: 0, completed_at: null, seconds: 300 },
      { job_name: 'second', status: 'running', locked_by: 'two', retry_count: 0, completed_at: null, seconds: 60 },
    ])
  })
})

describeOnServers('jobs that 16 workers want at once', (database) => {
  test('are each done by one of them, and all are done', async () => {
    const knex = database().connect({ pool: { min: CLIENTS, max: CLIENTS } })
    await migrateWithoutSearch(knex)
    const names = Array.from({ length: 200 }, (_, index) => `job-${index}`)
    for (const name of names) await addJob(knex, name)
    const claimed = await Promise.all(workers.map((worker) => claimAll(knex, worker)))
    expect(claimed.flat().toSorted()).toEqual(names.toSorted())
    for (const [index, worker] of workers.entries()) {
      const own = await knex('scheduled_jobs').where({ locked_by: worker }).pluck<string[]>('job_name')
      expect(own.toSorted()).toEqual(claimed[index]?.toSorted())
    }
  })

  test('are given out without waiting for a worker that is still in its transaction', async () => {
    const knex = database().connect({ pool: { min: CLIENTS, max: CLIENTS } })
    await migrateWithoutSearch(knex)
    for (const worker of workers) await addJob(knex, worker)
    const transactions = await Promise.all(workers.map(() => knex.transaction()))
    const claim = async (trx: Knex, worker: string): Promise<unknown> => {
      await trx.raw(`set local lock_timeout = '2s'`)
      return valueOf(trx, 'claim_job', worker)
    }
    const claims = transactions.map((trx, index) => claim(trx, `worker-${index}`))
    await Promise.allSettled(claims)
    await Promise.all(transactions.map((trx) => trx.commit()))
    const claimed = await Promise.all(claims)
    expect(claimed).not.toContain(null)
    expect(new Set(claimed).size).toBe(CLIENTS)
    expect(await valueOf(knex, 'claim_job', 'late')).toBeNull()
  })

  test('go back to the others when the transaction that claimed one is rolled back', async () => {
    const { knex } = database()
    await migrateWithoutSearch(knex)
    await addJob(knex, 'only')
    const attempt = knex.transaction(async (trx) => {
      expect(await claimAll(trx, 'one')).toEqual(['only'])
      expect(await claimAll(knex, 'two')).toEqual([])
      throw new Error('the worker gives up')
    })
    await expect(attempt).rejects.toThrow('the worker gives up')
    expect(await claimAll(knex, 'two')).toEqual(['only'])
  })
})
