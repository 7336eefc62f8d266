import { sizeText } from '../../core/sizes.ts'

const LONGEST = 54

/**
 * Describes the details of an error or event as short lines of `name value`, without empty values.
 *
 * @example detailLines({ rows: 0, settings: { workers: 2 } }) // ['rows 0', 'settings: workers 2']
 */
export function detailLines(details: Readonly<Record<string, unknown>>): string[] {
  const entries = Object.entries(details).filter(([name, value]) => !isEmpty(value) && !isNumberOf(name, value))
  const plain = entries
    .filter(([, value]) => !isGroup(value))
    .map(([name, value]) => `${wordsOf(name)} ${textOf(name, value)}`)
  const groups = entries.flatMap(([name, value]) =>
    isGroup(value) ? detailLines(value).map((line) => `${wordsOf(name)}: ${line}`) : [],
  )
  return [...joined(plain), ...groups]
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
}

// OIDs and column numbers mean nothing to people, and the names are shown too.
function isNumberOf(name: string, value: unknown): boolean {
  return typeof value === 'number' && (name === 'table' || name === 'column')
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// maintenanceWorkMemory: maintenance work memory
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'number' && /memory$/i.test(name)) return sizeText(value)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.map((each) => textOf(name, each)).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function joined(parts: readonly string[]): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    if (last === undefined || last.length + part.length + 2 > LONGEST) lines.push(part)
    else lines[lines.length - 1] = `${last}, ${part}`
  }
  return lines
}
