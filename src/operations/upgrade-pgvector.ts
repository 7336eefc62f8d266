import type { Knex } from 'knex'

import { loggerFrom } from '../database/logger.ts'
import { parseOptions } from '../core/parse-options.ts'
import { upgradeOptions, upgradePgvector, type UpgradeOptions } from '../indexes/upgrade.ts'
import type { Operation } from './operation.ts'

/**
 * Updates the extension. `down` keeps the new version, because pgvector has no downgrade and every release reads the
 * data of older ones. With `reindex` the migration runs outside a transaction.
 *
 * @example new UpgradePgvector({ to: '0.8.7', reindex: true })
 */
export class UpgradePgvector implements Operation {
  readonly description: string
  readonly transaction: boolean
  readonly #options: UpgradeOptions

  constructor(options: UpgradeOptions = {}) {
    parseOptions(upgradeOptions, options)
    this.description = `update pgvector to ${options.to ?? 'the newest version'}`
    this.transaction = options.reindex !== true
    this.#options = options
  }

  async up(knex: Knex): Promise<void> {
    await upgradePgvector(knex, this.#options)
  }

  down(_knex: Knex): Promise<void> {
    loggerFrom(this.#options.logger).info('pgvector keeps its version: it cannot be downgraded')
    return Promise.resolve()
  }
}
