import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { Knex } from 'knex'

import { createMigrator, type Migrator } from '../../src/migrator.ts'
import type { TestDatabase } from './databases.ts'
import { temporaryFolder } from './temporary.ts'

/** Who migrates a schema: stock Knex, this library, or both by turns, whichever begins. */
export const players = ['stock', 'ours', 'stock first', 'ours first'] as const

export type Player = (typeof players)[number]

/** The schema of a player, where its search path points. */
export const schemaOf = (player: Player): string => player.replace(' ', '_')

/** The same thing to do, with stock Knex and with this library. */
export interface Move {
  readonly stock: (knex: Knex) => Promise<unknown>
  readonly ours: (migrator: Migrator) => Promise<unknown>
}

const pendingOf = async (migrator: Migrator): Promise<string[]> =>
  (await migrator.status()).filter(({ state }) => state === 'pending').map(({ name }) => name)

/** How many migrations there are in the last batch, or at all. */
const appliedBy = async (migrator: Migrator, which: 'last' | 'all'): Promise<number> => {
  const applied = (await migrator.status()).filter(({ state }) => state !== 'pending')
  const last = Math.max(...applied.map(({ batch }) => batch ?? 0))
  return applied.filter(({ batch }) => which === 'all' || batch === last).length
}

const undo = async (migrator: Migrator, steps: number): Promise<unknown> =>
  steps === 0 ? [] : migrator.down({ steps })

export const moves = {
  latest: { stock: (knex) => knex.migrate.latest(), ours: (migrator) => migrator.up({ transaction: 'batch' }) },
  'up one': {
    stock: (knex) => knex.migrate.up(),
    ours: async (migrator) => {
      const [next] = await pendingOf(migrator)
      return migrator.up(next === undefined ? {} : { only: next })
    },
  },
  'up 002': {
    stock: (knex) => knex.migrate.up({ name: '002_second.js' }),
    ours: (migrator) => migrator.up({ only: '002_second.js' }),
  },
  'down one': { stock: (knex) => knex.migrate.down(), ours: (migrator) => migrator.down() },
  rollback: {
    stock: (knex) => knex.migrate.rollback(),
    ours: async (migrator) => undo(migrator, await appliedBy(migrator, 'last')),
  },
  'rollback all': {
    stock: (knex) => knex.migrate.rollback(undefined, true),
    ours: async (migrator) => undo(migrator, await appliedBy(migrator, 'all')),
  },
} as const satisfies Record<string, Move>

/** A step of a comparison: what every player does, or what happens to the files or the database in between. */
export type Step = keyof typeof moves | ((place: Place) => Promise<unknown>)

/** Where a comparison happens. */
export interface Place {
  readonly files: Files
  /** Sends a statement for each player; `its.` is its schema. */
  readonly sql: (statement: string) => Promise<unknown>
}

/** Migrations on disk, as Knex reads them. */
export interface Files {
  readonly folder: string
  write(path: string, content: string): Promise<void>
  remove(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
}

export async function filesWith(contents: Readonly<Record<string, string>>): Promise<Files> {
  const folder = await temporaryFolder()
  const files: Files = {
    folder,
    write: async (path, content) => {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), content)
    },
    remove: (path) => rm(join(folder, path)),
    rename: (from, to) => rename(join(folder, from), join(folder, to)),
  }
  await mkdir(join(folder, 'migrations'))
  for (const [path, content] of Object.entries(contents)) await files.write(path, content)
  return files
}

/** What a player's Knex is configured with, beside its connection. */
export type Configure = (folder: string, schema: string) => Knex.Config

const plain: Configure = (folder) => ({ migrations: { directory: join(folder, 'migrations') } })

const quiet = { warn: () => undefined, error: () => undefined }

/** What a player is left with after a step. */
export interface Left {
  readonly step: string
  readonly outcome: 'done' | 'failed'
  /** What its tool says of the migrations; or that it refuses to, where files are gone. */
  readonly seen: { readonly applied: readonly string[]; readonly pending: readonly string[] } | 'refused'
  /** Every column and constraint of its schemas, but for those of the runs that this library notes. */
  readonly objects: readonly string[]
  /** The rows of Knex's tables. */
  readonly rows: readonly string[]
}

/** Takes the same steps as each player, and returns what each of them is left with after every one. */
export async function compare(
  { knex, connect }: TestDatabase,
  files: Files,
  steps: readonly Step[],
  configure: Configure = plain,
): Promise<Readonly<Record<Player, readonly Left[]>>> {
  await knex.raw(
    players.map((player) => `create schema ${schemaOf(player)}; create schema ${schemaOf(player)}_audit`).join('; '),
  )
  const all = players.map((player) => {
    const schema = schemaOf(player)
    const config = configure(files.folder, schema)
    return {
      player,
      schema,
      own: connect({ searchPath: [schema], pool: { min: 0, max: 2 }, log: quiet, ...config }),
      left: [] as Left[],
    }
  })
  let taken = 0
  for (const step of steps) {
    if (typeof step === 'function') {
      await step({
        files,
        sql: async (statement) => {
          for (const { schema } of all) await knex.raw(statement.replaceAll('its.', `${schema}.`))
        },
      })
      continue
    }
    await Promise.all(
      all.map(async ({ player, schema, own, left }) => {
        const isStock = player === 'stock' || (player !== 'ours' && (player === 'stock first') === (taken % 2 === 0))
        const tool = isStock ? stockTool(own) : ourTool(own)
        const outcome = await tool.take(moves[step]).then(
          () => 'done' as const,
          () => 'failed' as const,
        )
        const seen = await tool.look().catch(() => 'refused' as const)
        left.push({ step, outcome, seen, ...(await stateOf(knex, schema)) })
      }),
    )
    taken++
  }
  return Object.fromEntries(all.map(({ player, left }) => [player, left])) as Record<Player, Left[]>
}

interface Tool {
  take(move: Move): Promise<unknown>
  look(): Promise<Exclude<Left['seen'], string>>
}

function stockTool(knex: Knex): Tool {
  return {
    take: ({ stock }) => stock(knex),
    look: async () => {
      const [applied, pending] = (await knex.migrate.list()) as [{ name: string }[], { file: string }[]]
      return { applied: applied.map(({ name }) => name).toSorted(), pending: pending.map(({ file }) => file) }
    },
  }
}

function ourTool(knex: Knex): Tool {
  const migrator = createMigrator(knex)
  return {
    take: ({ ours }) => ours(migrator),
    look: async () => {
      const pending = await migrator.preview('up')
      const applied = (await migrator.status()).filter(({ state }) => state !== 'pending')
      return { applied: applied.map(({ name }) => name).toSorted(), pending }
    },
  }
}

/** What there is in the schemas of a player, with its own name left out. */
async function stateOf(knex: Knex, schema: string): Promise<Pick<Left, 'objects' | 'rows'>> {
  const textsOf = async (query: string): Promise<string[]> => {
    const { rows: found } = await knex.raw<{ rows: readonly { readonly text: string }[] }>(query)
    return found.map(({ text }) => text.replaceAll(schema, 'its')).toSorted()
  }
  const own = `in ('${schema}', '${schema}_audit')`
  const objects = await textsOf(`
    select concat_ws(' ', format('%I.%I', n.nspname, c.relname), c.relkind, a.attname,
      format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) as text
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where n.nspname ${own} and c.relname not like '%_runs%'
    union all
    select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(c.oid))
    from pg_constraint c join pg_namespace n on n.oid = c.connamespace
    where n.nspname ${own} and conrelid::regclass::text not like '%_runs%'`)
  const named = [...new Set(objects.flatMap((text) => /^(its\S*[.](?:"(?:[^"]|"")*"|\S*)) r /.exec(text)?.[1] ?? []))]
  const queries = named.flatMap((name) => {
    const from = name.replace('its', schema)
    if (/_lock"?$/.test(name)) return `select concat_ws(' ', '${name}', index, is_locked) as text from ${from}`
    if (!objects.some((text) => text.startsWith(`${name} r batch `))) return []
    const number = `lpad((row_number() over (order by id))::text, 3)`
    return `select concat_ws(' ', '${name}', ${number}, name, batch, (migration_time is not null)) as text from ${from}`
  })
  return { objects, rows: queries.length === 0 ? [] : await textsOf(queries.join(' union all ')) }
}
