import { mebibytes, memoryText } from '../../core/sizes.ts'
import { identifier } from '../../core/sql.ts'
import type { BuildSettings } from './memory.ts'
import type { VectorIndex } from '../vector-index.ts'

/** Returns the warnings before a build that does not get the memory it needs, with what to do. */
export function memoryWarnings(
  index: VectorIndex,
  rows: number,
  { maintenanceWorkMemory, neededMemory, spillsAfter }: BuildSettings,
): string[] {
  if (spillsAfter === null || neededMemory === null) return []
  return [
    `The graph of ${identifier(index.name)} takes ${memoryText(neededMemory)} for ${rows} rows and may use ` +
      `${memoryText(maintenanceWorkMemory)}: after about ${spillsAfter} rows the build continues on disk, many times ` +
      `slower. ${remedy(index, neededMemory)}`,
  ]
}

function remedy({ storage, column }: VectorIndex, needed: number): string {
  const more = `If the server has the memory, pass { maxMemory: '${mebibytes(needed * 1.1)}MB' }`
  const isWhole = storage.expression === 'column' && column.type === 'vector'
  return isWhole ? `${more}; an index with { storage: 'halfvec' } takes about half.` : `${more}.`
}

const SPILLED = /^hnsw graph no longer fits into maintenance_work_mem after (\d+) tuples$/
const LITTLE_DATA = /^ivfflat index created with little data$/

/** Returns advice on a notice of pgvector during a build; null if the notice is not a warning of a build. */
export function adviceFor(notice: string, index: VectorIndex): string | null {
  const name = identifier(index.name)
  const spilled = SPILLED.exec(notice)
  if (spilled !== null) {
    return (
      `The graph of ${name} did not fit into memory after ${spilled[1]} rows, and the rest took many times longer. ` +
      'The index itself is not affected. For the next build, pass a higher { maxMemory }.'
    )
  }
  if (LITTLE_DATA.test(notice)) {
    return `${name} was built from few rows, so its recall is low: drop it and build it again when there are more.`
  }
  return null
}
