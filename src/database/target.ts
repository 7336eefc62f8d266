import type { ProviderName } from '../pgvector/providers.ts'
import type { ServerFacts } from './server-facts.ts'
import { sharedStorage } from './shared-storage.ts'

/** The server that something is tried out for, on another one. */
export interface Target {
  readonly server: ServerFacts
  readonly provider: ProviderName
}

const context = sharedStorage<Target>('target')

/** Runs what asks about the server, and is to be answered as if it ran there. */
export function withTarget<Result>(target: Target, run: () => Promise<Result>): Promise<Result> {
  return context.run(target, run)
}

/** The server that this is tried out for; null where it is for real. */
export function currentTarget(): Target | null {
  return context.getStore() ?? null
}
