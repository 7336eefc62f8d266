import { columnMessages, type ColumnErrors } from './messages/columns.ts'
import { configurationMessages, type ConfigurationErrors } from './messages/configuration.ts'
import { embeddingMessages, type EmbeddingErrors } from './messages/embeddings.ts'
import { extensionMessages, type ExtensionErrors } from './messages/extension.ts'
import { migrationMessages, type MigrationErrors } from './messages/migrations.ts'
import type { Messages } from './messages/text.ts'

export type { ReadOnly } from './messages/extension.ts'
export type { LockHolder } from './messages/migrations.ts'

/** The facts each error carries. The keys are the public error codes. */
export interface ErrorDetails
  extends ExtensionErrors, ColumnErrors, EmbeddingErrors, ConfigurationErrors, MigrationErrors {}

/** The code of an error. Each has a heading in docs/errors.md. */
export type ErrorCode = keyof ErrorDetails

/**
 * The message and the hint of every error, each once. The beginnings of the messages are part of the public contract. A hint
 * is the remedy on a stock server; the caller replaces it where a provider needs another one.
 */
export const messages: Messages<ErrorDetails> = {
  ...extensionMessages,
  ...columnMessages,
  ...embeddingMessages,
  ...configurationMessages,
  ...migrationMessages,
}
