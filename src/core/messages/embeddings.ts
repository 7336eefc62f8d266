import { type Messages } from './text.ts'

/** The facts of errors of vectors and the model that generates them. */
export interface EmbeddingErrors {
  readonly BACKFILL_FAILED: { readonly column: string; readonly filled: number; readonly problem: string }
  readonly IN_STEP_NOT_POSSIBLE: { readonly column: string; readonly problems: readonly string[] }
  /** The problems are what is missing or altered. */
  readonly NOT_KEPT_IN_STEP: { readonly column: string; readonly problems: readonly string[] }
  readonly COPY_FAILED: {
    readonly table: string
    /** The number of the row, counted from 1; null where the problem is not one row's. */
    readonly row: number | null
    readonly column: string | null
    readonly problem: string
  }
  readonly MODEL_NOT_SEARCHABLE: {
    readonly embedding: string
    /** The model that was asked for, or the one that is active. */
    readonly model: string
    /** The models whose vectors can be searched now. */
    readonly searchable: readonly string[]
    /** The models that `embed` calls; none where a vector was given. */
    readonly embeds: readonly string[]
  }
  readonly MODEL_CHANGE_REFUSED: { readonly embedding: string; readonly problems: readonly string[] }
}

export const embeddingMessages: Messages<EmbeddingErrors> = {
  BACKFILL_FAILED: ({ column, filled, problem }) => ({
    message: `The backfill of ${column} stopped: ${problem}`,
    hint: `The finished rows stay (${filled} in this run). Fix the cause and run it again: it continues with the others.`,
  }),
  IN_STEP_NOT_POSSIBLE: ({ column, problems }) => ({
    message: `The vectors of ${column} cannot be kept in step with their rows:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Nothing was changed. Fix what is named above, then run this again.',
  }),
  NOT_KEPT_IN_STEP: ({ column, problems }) => ({
    message: `The vectors of ${column} are not kept in step with their rows:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Run a migration with new KeepInStep(…) for this embedding, or call setUpInStep: it creates what is missing and replaces what was altered.',
  }),
  COPY_FAILED: ({ table, row, column, problem }) => ({
    message: `${row === null ? 'The rows' : `Row ${row}`} could not be copied into ${table}: ${column === null ? '' : `${column} `}${problem}`,
    hint: 'Nothing was stored. Correct the rows, then copy them again.',
  }),
  MODEL_NOT_SEARCHABLE: ({ embedding, model, searchable, embeds }) => ({
    message:
      `${embedding} cannot be searched with the model ${model}: its vectors are of ${searchable.join(' and ')}` +
      (embeds.length === 0 ? '' : `, and embed calls ${embeds.join(' and ')}`),
    hint:
      embeds.length === 0
        ? 'Make the vector with a model of the column, or pass the text and let embed make it.'
        : 'Add the model to embed: { model: (text) => … }. A release that searches during a change of model needs both models.',
  }),
  MODEL_CHANGE_REFUSED: ({ embedding, problems }) => ({
    message: `The change of model of ${embedding} did not take this step:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    hint: 'Nothing was changed. Run npx knex-pgvector model status, which shows the phase and the next command.',
  }),
}
