export {
  embeddedPgvector,
  type EmbeddedKnexConfig,
  type EmbeddedOptions,
  type PGliteInstance,
} from './embedded/knex-config.ts'
