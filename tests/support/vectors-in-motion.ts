import type { Knex } from 'knex'

import {
  activeModel,
  addVectorColumn,
  backfill,
  changeModel,
  embedding,
  ensurePgvector,
  inStep,
  keepInStep,
  nearestText,
  nearestTo,
  removeInStep,
  retryInStep,
  setUpInStep,
  vectorColumn,
  verifyInStep,
  type Embed,
} from '../../src/index.ts'

const quiet = { logger: false } as const

interface Note {
  readonly note: string
}

const vectorOf = { small: (text: string) => [1, 2, text.length], large: (text: string) => [text.length, 2, 1] } as const
const embedNotes =
  (model: keyof typeof vectorOf): Embed<Note> =>
  (rows) =>
    Promise.resolve(rows.map(({ note }) => vectorOf[model](note)))
const embedQueries = {
  small: (text: string) => Promise.resolve(vectorOf.small(text)),
  large: (text: string) => Promise.resolve(vectorOf.large(text)),
} as const

const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
const notes = embedding<Note>('documents', { column, from: ['note'], model: 'small', embed: embedNotes('small') })
const change = changeModel<Note>(notes, {
  to: { column: vectorColumn('documents', 'large', { dimensions: 3 }), model: 'large', metric: 'l2' },
  embed: { small: embedNotes('small'), large: embedNotes('large') },
})

// An application's own statement, which fires the trigger.
const edit = (knex: Knex, text: string): Knex.Raw => knex.raw(`update app.documents set note = '${text}'`)

/** Keeps the column `embedding` of `documents` in step, changes its model and back, and removes everything again. */
export async function keepAndChange(knex: Knex): Promise<void> {
  await setUpInStep(knex, notes, { ...quiet, notify: true })
  await setUpInStep(knex, notes, quiet)
  await edit(knex, 'first')
  await backfill(knex, notes, quiet)
  await edit(knex, 'second')
  await inStep(knex, notes)
  await workOnce(knex)
  await giveUpAndRetry(knex)
  await verifyInStep(knex, notes, { mark: true, batchSize: 7 })
  await change.status(knex)
  await change.advance(knex, { ...quiet, until: 'expand' })
  await edit(knex, 'fourth')
  await change.advance(knex, quiet)
  await change.switch(knex, quiet)
  await activeModel(knex, notes)
  await nearestText(knex, notes, 'query', { embed: embedQueries, limit: 2 })
  await nearestTo(knex, notes, 'query', { embed: embedQueries })
  await change.back(knex, quiet)
  await change.back(knex, { ...quiet, to: 'expand' })
  await removeInStep(knex, notes, quiet)
}

/** Changes the model for good, in a database in which that was not done before. */
export async function contractAfterChange(knex: Knex): Promise<void> {
  await ensurePgvector(knex, quiet)
  await addVectorColumn(knex, column, quiet)
  await setUpInStep(knex, notes, quiet)
  await change.advance(knex, quiet)
  await change.switch(knex, quiet)
  await change.contract(knex, { ...quiet, confirm: true, quiet: 4000 })
}

async function workOnce(knex: Knex): Promise<void> {
  const stop = new AbortController()
  await keepInStep(knex, notes, {
    ...quiet,
    settle: 0,
    signal: stop.signal,
    onEvent: ({ type }) => {
      if (type === 'progress') stop.abort()
    },
  })
}

async function giveUpAndRetry(knex: Knex): Promise<void> {
  await edit(knex, 'third')
  const withoutFirst: Embed<Note> = (rows) => Promise.resolve(rows.map((_, place) => (place === 0 ? null : [1, 2, 3])))
  await backfill(knex, notes, { ...quiet, embed: withoutFirst })
  await retryInStep(knex, notes)
  await backfill(knex, notes, quiet)
}
