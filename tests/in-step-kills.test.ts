import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Knex } from 'knex'

import { backfill, embedding, ensurePgvector, inStep, setUpInStep, vectorColumn, verifyInStep } from '../src/index.ts'
import { describeOnOneServer, type TestDatabase } from './support/databases.ts'
import { until } from './support/phases.ts'
import { createProject, type Project } from './support/project.ts'
import { shortLived } from './support/short-lived.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

const started: ChildProcess[] = []

afterEach(async () => {
  for (const each of started.splice(0)) each.kill('SIGKILL')
  await removeTemporaryFolders()
})

// FAULTS=1 is the size of the promise: 50 kills during 10,000 edits.
const size =
  process.env['FAULTS'] === '1' ? { rows: 2000, edits: 10_000, kills: 50 } : { rows: 200, edits: 640, kills: 8 }
const WORKERS = 4
const WRITERS = 8
const BATCH = 10

const articles = embedding('articles', {
  column: vectorColumn('articles', 'embedding', { dimensions: 3 }),
  from: ['body'],
  model: 'small-3',
})

// The texts that the model was paid for are in a file, because a killed process says nothing.
const worker = `
  const { appendFileSync } = require('node:fs')
  const { createRequire } = require('node:module')
  const { embedding, keepInStep, vectorColumn } = require('knex-pgvector')
  const Knex = createRequire(require.resolve('knex-pgvector'))('knex')
  const connection = { connectionString: process.env.DATABASE_URL, application_name: 'worker' }
  const knex = Knex({ client: 'pg', connection, pool: { min: 0, max: 4 } })
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort())
  process.send('ready')
  const column = vectorColumn('articles', 'embedding', { dimensions: 3 })
  const articles = embedding('articles', { column, from: ['body'], model: 'small-3' })
  // A worker that loses its connection while it starts ends, and is started again, as a supervisor does it.
  const work = () => keepInStep(knex, articles, {
    embed: async (rows) => {
      appendFileSync(process.env.PAID, rows.map(({ body }) => body + '\\n').join(''))
      await new Promise((resolve) => setTimeout(resolve, 30))
      return rows.map(({ body }) => body.split(' ').map(Number))
    },
    batchSize: ${BATCH}, settle: 0, poll: 20, lease: '3s', logger: false, signal: stop.signal,
  }).catch((error) => (error.code === 'CONNECTION_LOST' ? work() : Promise.reject(error)))
  void work().finally(() => knex.destroy())`

interface Worker {
  readonly process: ChildProcess
  readonly isReady: Promise<unknown>
}

const linesOf = (file: string): string[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []

function startWorkers({ folder }: Project, url: string): { start: () => Worker; paid: () => string[] } {
  const files: string[] = []
  return {
    start: () => {
      const paid = join(folder, `paid-${files.length}.txt`)
      files.push(paid)
      const env = { ...shortLived, PATH: process.env['PATH'], DATABASE_URL: url, PAID: paid }
      const child = fork(join(folder, 'worker.js'), { cwd: folder, env, execArgv: [] })
      started.push(child)
      return { process: child, isReady: once(child, 'message') }
    },
    paid: () => files.flatMap(linesOf),
  }
}

async function createArticles({ knex }: TestDatabase): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table articles (id int primary key, body text not null, embedding vector(3));
    insert into articles (id, body) select i, '0 0 ' || i from generate_series(1, ${size.rows}) i`)
  await setUpInStep(knex, articles, { logger: false })
  await backfill<{ readonly body: string }>(knex, articles, {
    embed: (rows) => Promise.resolve(rows.map(({ body }) => body.split(' ').map(Number))),
    logger: false,
  })
}

/** Edits made by several writers at once, of which none waits for a lock for long. */
async function write(knex: Knex, from: number, to: number): Promise<void> {
  const writer = async (number: number): Promise<void> => {
    for (let edit = from + number; edit < to; edit += WRITERS) {
      await knex('articles')
        .where({ id: 1 + ((edit * 37) % size.rows) })
        .update({ body: `1 ${number} ${edit}` })
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)))
}

describeOnOneServer('keepInStep whose workers are killed', (database) => {
  test('writes nothing wrong, leaves nothing stale, and repeats at most a batch for each kill', async () => {
    const { knex, connect, url } = database()
    await createArticles(database())
    const { start, paid } = startWorkers(await createProject({ 'worker.js': worker }), url ?? '')
    const workers = Array.from({ length: WORKERS }, start)
    const editors = connect({
      connection: { connectionString: url ?? '', options: '-c lock_timeout=1000' },
      pool: { min: 0, max: WRITERS },
    })
    const lost = { processes: 0, backends: 0 }

    const killOne = async (kill: number): Promise<void> => {
      const place = kill % WORKERS
      const victim = workers[place]
      if (victim === undefined) return
      if (kill % 2 === 0) {
        victim.process.kill('SIGKILL')
        await once(victim.process, 'exit')
        workers[place] = start()
        lost.processes++
      } else {
        const { rows } = (await knex.raw(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'worker' order by state <> 'active', random() limit 1`)) as {
          readonly rows: readonly unknown[]
        }
        lost.backends += rows.length
      }
    }
    for (let kill = 0; kill < size.kills; kill++) {
      const before = paid().length
      const written = write(editors, (size.edits / size.kills) * kill, (size.edits / size.kills) * (kill + 1))
      await until(knex, () => Promise.resolve(paid().length > before))
      await killOne(kill)
      await written
    }

    await until(knex, async () => {
      const { stale, missing, failed } = await inStep(knex, articles)
      return stale + missing + failed === 0
    })
    await Promise.all(workers.map(({ isReady }) => isReady))
    const endings = workers.map(({ process: each }) => once(each, 'exit'))
    for (const each of workers) each.process.kill('SIGTERM')
    expect((await Promise.all(endings)).map(([code]) => code as number | null)).toEqual(workers.map(() => 0))

    expect(lost).toEqual({ processes: size.kills / 2, backends: size.kills / 2 })
    const wrong = await knex('articles').whereRaw(`embedding::text <> '[' || replace(body, ' ', ',') || ']'`)
    expect(wrong).toEqual([])
    expect(await verifyInStep(knex, articles)).toMatchObject({ checked: size.rows, wrong: 0, stale: 0, unknown: 0 })
    expect(await knex('articles__embedding__marks')).toEqual([])
    const texts = paid()
    expect(texts.length - new Set(texts).size).toBeLessThanOrEqual(size.kills * BATCH)
  }, 600_000)
})
