import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { nearestText } from '../src/index.ts'
import { backfill } from '../src/embeddings/backfill.ts'
import { describeOnOneServer } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { skipPauses } from './support/fast-clock.ts'
import { createProject, knexfile } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'
import { articles, change, createArticles, embedQueries, objectsOf, quiet, vectorOf } from './support/two-models.ts'

const ROWS = 400
const BATCH = 50
const titleOf = (length: number): string => 'x'.repeat(length)

// The model notes what it reads, and may end its process in the middle of a call.
const declared = `
  import { appendFileSync } from 'node:fs'
  import { changeModel, embedding, vectorColumn } from 'knex-pgvector'

  let calls = Number(process.env.CALLS ?? Infinity)
  const read = async (rows) => {
    appendFileSync('read.txt', rows.map(({ title }) => title.length + '\\n').join(''))
    if (--calls === 0) process.kill(process.pid, 'SIGKILL')
    return rows.map(({ title }) => [1, title.length, 1000])
  }
  const column = (name) => vectorColumn('articles', name, { dimensions: 3 })
  const articles = embedding('articles', { column: column('embedding'), from: ['title'], model: 'small-3' })
  const to = { column: column('embedding_large'), model: 'large-3', metric: 'l2' }
  export const change = changeModel(articles, { to, embed: { 'large-3': read } })
`

afterEach(() => jest.restoreAllMocks())
afterEach(removeTemporaryFolders)

describeOnOneServer('a change of model that is killed', (database) => {
  test('goes on in the same phase with the same command, while others read and write', async () => {
    const { knex, url, connect } = database()
    await createArticles(knex, ROWS)
    const project = await createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared })
    const start = (action: string, env: Readonly<Record<string, string>> = {}): ReturnType<typeof project.start> =>
      project.start(['model', ...action.split(' '), '--declared', 'vectors.ts'], { DATABASE_URL: url ?? '', ...env })
    /** Kills an advance as soon as it reports a phase. */
    const killIn = async (phase: string, next: readonly string[] = [phase]): Promise<void> => {
      const { process: child, result } = start(`advance --batch-size ${BATCH}`)
      let seen = ''
      child.stderr?.on('data', (text: Buffer) => {
        seen += text.toString()
        if (seen.includes(`${phase} …`)) child.kill('SIGKILL')
      })
      await once(child, 'exit')
      await result
      expect(next).toContain((await change.status(knex)).phase)
    }
    const expireClaims = (): Promise<unknown> =>
      knex.raw(`update articles__embedding_large__claims set due_at = now() where due_at < 'infinity'`)

    const end = new AbortController()
    const problems: unknown[] = []
    const read = async (): Promise<void> => {
      const reader = connect({ pool: { min: 0, max: 1 } })
      while (!end.signal.aborted) {
        const length = 1 + Math.floor(Math.random() * 50)
        try {
          const options = { embed: embedQueries, limit: 5, columns: ['title'] }
          const result = await nearestText(reader, articles, titleOf(length), options)
          const [first] = result.rows
          if (result.rows.length !== 5 || first?.['title'] !== titleOf(length) || first.distance !== 0)
            problems.push(result)
        } catch (error) {
          problems.push(error)
        }
        await sleep(20)
      }
    }
    const write = async (): Promise<void> => {
      const writer = connect({ pool: { min: 0, max: 1 } })
      for (let length = 1000; !end.signal.aborted; length++) {
        await writer('articles')
          .where({ id: 100 + (length % 100) })
          .update({ title: titleOf(length) })
        await sleep(50)
      }
    }
    const others = [read(), write()]
    try {
      await killIn('expand')
      // in the third call of the model
      expect((await start(`advance --batch-size ${BATCH}`, { CALLS: '3' }).result).code).toBe(null)
      expect(await change.status(knex)).toMatchObject({ phase: 'backfill' })
      await expireClaims()
      await killIn('index')
      await killIn('drain', ['drain', 'compare'])
      // The writer has made rows stale again by then.
      await killIn('compare', ['drain', 'compare'])
      const advanced = await start('advance').result
      expect({ code: advanced.code, problems: advanced.stderr.match(/^✖.*/m) }).toEqual({ code: 0, problems: null })
      // in the call of the model for what was edited in the meantime
      expect((await start('switch', { CALLS: '1' }).result).code).toBe(null)
      expect(await change.status(knex)).toMatchObject({ phase: 'switch', active: { model: 'small-3' } })
      await expireClaims()
      expect((await start('switch').result).code).toBe(0)
    } finally {
      end.abort()
      await Promise.all(others)
    }
    expect(problems).toEqual([])

    skipPauses()
    // The connection is lost while the step waits for the lock of the table.
    const user = await connect().transaction()
    await user('articles').where({ id: 1 }).select('id')
    const contracting = expectError('CONNECTION_LOST', () =>
      change.contract(connect(), { ...quiet, confirm: true, lockTimeout: '20s' }),
    )
    for (let killed = 0; killed === 0;) {
      const { rows } = await knex.raw<{
        rows: readonly unknown[]
      }>(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%drop column%'`)
      killed = rows.length
      await sleep(20)
    }
    await contracting
    await user.rollback()
    expect(await change.status(knex)).toMatchObject({ phase: 'contract' })
    await backfill(knex, change.to, quiet)
    await change.contract(knex, { ...quiet, confirm: true })
    expect(await change.status(knex)).toMatchObject({ phase: 'done' })

    const rows: readonly { readonly title: string; readonly vector: string | null }[] = await knex('articles').select(
      'title',
      knex.raw('embedding_large::text as vector'),
    )
    expect(rows.filter(({ title, vector }) => vector !== `[${vectorOf['large-3'](title).join(',')}]`)).toEqual([])
    expect((await objectsOf(knex)).filter((name) => /embedding(?!_large)/.test(name))).toEqual([])
    const { rows: invalid } = await knex.raw('select indexrelid::regclass from pg_index where not indisvalid')
    expect(invalid).toEqual([])
    // Of the rows that were never edited, the model read no more than the batch of a killed call again.
    const texts = (await readFile(join(project.folder, 'read.txt'), 'utf8')).trim().split('\n').map(Number)
    const unedited = texts.filter((length) => length <= ROWS && (length < 100 || length >= 200))
    expect(unedited.length - new Set(unedited).size).toBeLessThanOrEqual(BATCH)
  }, 120_000)
})
