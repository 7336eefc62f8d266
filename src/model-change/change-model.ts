import { PgvectorMigrationError } from '../core/errors.ts'
import { parseOptions, type Parsed } from '../core/parse-options.ts'
import { loggerFrom } from '../database/logger.ts'
import { type Database, sessionOf } from '../database/session.ts'
import { assertEmbedding, embedding as declareEmbedding, type Embedding } from '../embeddings/embedding.ts'
import type { KeepInStepOptions } from '../embeddings/worker/options.ts'
import { advance } from './advance.ts'
import { goBack } from './back.ts'
import {
  advanceOptions,
  backOptions,
  changeModelOptions,
  contractOptions,
  type AdvanceOptions,
  type BackOptions,
  type ChangeModelOptions,
  type ContractOptions,
} from './change-options.ts'
import type { DeclaredChange } from './change-state.ts'
import { contract } from './contract.ts'
import { forgetPairs } from './active-pair.ts'
import { declaredIndex } from './pair.ts'
import { readStatus, type ModelChangeStatus } from './status.ts'
import { switchModel } from './switch.ts'
import { keepBothInStep } from './keep-both-in-step.ts'

/** A change of model: from one column and model to another, in phases that can be stopped, resumed and rolled back. */
export interface ModelChange {
  /** The embedding before the change. */
  readonly from: Embedding
  /** The same embedding in its new column. */
  readonly to: Embedding
  /** Reads how far the change is, and what comes next. */
  status(db: Database): Promise<ModelChangeStatus>
  /** Runs the phases up to `until`: expand, backfill, index, drain, compare. It resumes what was stopped. */
  advance(db: Database, options?: AdvanceOptions): Promise<ModelChangeStatus>
  /** Makes searches use the new column and model. It takes no lock on the table. */
  switch(db: Database, options?: Omit<AdvanceOptions, 'until'>): Promise<ModelChangeStatus>
  /** Returns to the state before a phase. */
  back(db: Database, options?: BackOptions): Promise<ModelChangeStatus>
  /** Drops the old column, after no search uses it any more. It is the only step that cannot be rolled back. */
  contract(db: Database, options: ContractOptions): Promise<ModelChangeStatus>
  /** Keeps both columns in step until the signal aborts: the worker of both models. */
  keepInStep(db: Database, options?: Omit<KeepInStepOptions, 'embed'>): Promise<void>
}

/**
 * Declares a change of model. It sends nothing to the server.
 *
 * The new vectors get their own column. A row of a registry decides which of the two {@link nearestText} searches, and with
 * which model, so a query of one model is never compared with vectors of the other.
 *
 * @example
 * ```ts
 * const change = changeModel(articles, {
 *   to: { column: large, model: 'large-3' },
 *   embed: { 'small-3': embedSmall, 'large-3': embedLarge },
 * })
 * await change.advance(knex)
 * await change.switch(knex)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem; INDEX_NOT_POSSIBLE if pgvector cannot index the new
 * column that way.
 */
export function changeModel<Row extends object = Record<string, unknown>>(
  embedding: Embedding,
  options: ChangeModelOptions<Row>,
): ModelChange {
  assertEmbedding(embedding)
  const declared = declare(embedding, parseOptions(changeModelOptions, options))
  const { source, target } = declared
  const status = (db: Database): Promise<ModelChangeStatus> => readStatus(sessionOf(db), declared)
  const after = async (db: Database): Promise<ModelChangeStatus> => {
    for (const each of [source, target]) forgetPairs(sessionOf(db), each)
    return status(db)
  }
  return {
    from: source,
    to: target,
    status,
    advance: async (db, given = {}) => {
      await advance(sessionOf(db), declared, parseOptions(advanceOptions, given))
      return after(db)
    },
    switch: async (db, given = {}) => {
      const needs = parseOptions(advanceOptions, given)
      await switchModel(sessionOf(db), declared, needs)
      return after(db)
    },
    back: async (db, given = {}) => {
      const needs = parseOptions(backOptions, given)
      for (const warning of await goBack(sessionOf(db), declared, needs)) loggerFrom(needs.logger).warn(warning)
      return after(db)
    },
    contract: async (db, given) => {
      await contract(sessionOf(db), declared, parseOptions(contractOptions, given))
      return after(db)
    },
    keepInStep: (db, given = {}) => keepBothInStep(db, declared, given),
  }
}

function declare(embedding: Embedding, { to, embed = {} }: Parsed<typeof changeModelOptions>): DeclaredChange {
  const { column, model, metric, method, storage, m, efConstruction, lists } = to
  const { from, column: old } = embedding
  const problems = [
    ...(column.table === old.table && column.schema === old.schema
      ? []
      : ['to.column: must be a column of the same table']),
    ...(column.name === old.name ? ['to.column: must be another column: a column never changes its model'] : []),
    ...(model === embedding.model ? ['to.model: must be another name than that of the old model'] : []),
    ...(column.notNull ? ['to.column: must allow null, because its rows are embedded after it is added'] : []),
  ]
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  const source = { ...embedding, embed: embed[embedding.model] ?? embedding.embed }
  const target = declareEmbedding(column.table, { column, from, model, embed: embed[model] })
  const { name, type, dimensions } = column
  const wanted = { column: name, model, type, dimensions, metric, method, storage, m, efConstruction, lists }
  // Fails here for an index that cannot be built. The metric of the old column is known later.
  if (metric !== undefined) declaredIndex(column, { ...wanted, metric })
  return { source, target, wanted }
}

/** Whether a value is a change of model. It is recognised by shape, because it may come from another copy of this package. */
export function isModelChange(value: unknown): value is ModelChange {
  if (typeof value !== 'object' || value === null) return false
  const { advance: run, contract: end, from, to } = value as Partial<ModelChange>
  return typeof run === 'function' && typeof end === 'function' && from !== undefined && to !== undefined
}
