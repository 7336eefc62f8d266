import type { ProviderName } from '../pgvector/providers.ts'
import type { ServerFacts } from './server-facts.ts'
import { sharedStorage } from './shared-storage.ts'

/** The server that a trial on another server is for. */
export interface Target {
  readonly server: ServerFacts
  readonly provider: ProviderName
  /** Receives each vector index that the trial builds. */
  readonly onIndex?: ((index: object) => void) | undefined
}

const context = sharedStorage<Target>('target')

/** Runs code whose questions about the server are answered as if it ran there. */
export function withTarget<Result>(target: Target, run: () => Promise<Result>): Promise<Result> {
  return context.run(target, run)
}

/** Returns the server that a trial is for; null outside a trial. */
export function currentTarget(): Target | null {
  return context.getStore() ?? null
}
