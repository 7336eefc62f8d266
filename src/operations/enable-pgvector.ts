import type { Knex } from 'knex'

import { dropPgvector } from '../extension/drop.ts'
import { ensurePgvector } from '../extension/ensure.ts'
import { ensureOptions, type EnsureOptions } from '../core/options.ts'
import { parseOptions } from '../core/parse-options.ts'
import type { Operation } from './operation.ts'

/**
 * Enables pgvector. `down` drops the extension if this library created it and nothing uses it, and otherwise keeps it.
 *
 * @example new EnablePgvector({ minVersion: '0.7.0', schema: 'extensions' })
 */
export class EnablePgvector implements Operation {
  readonly description = 'enable pgvector'
  readonly transaction = true
  readonly #options: EnsureOptions

  /** @param options those of {@link ensurePgvector} */
  constructor(options: EnsureOptions = {}) {
    parseOptions(ensureOptions, options)
    this.#options = options
  }

  async up(knex: Knex): Promise<void> {
    await ensurePgvector(knex, this.#options)
  }

  async down(knex: Knex): Promise<void> {
    const { wait, logger, log } = this.#options
    await dropPgvector(knex, { wait, logger, log })
  }
}
