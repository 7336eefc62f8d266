import { identifier, qualified } from '../../core/sql.ts'
import { sqlStateOf } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { serverMessage } from '../../database/server-message.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { readStatementFor, readTable, readTableOf, type ColumnDefinition, type TableDefinition } from './definition.ts'
import { mentionedIn, type StoredObject } from './stored-objects.ts'

const exists = new Set<string | undefined>([
  sqlState.duplicateTable,
  sqlState.duplicateObject,
  sqlState.duplicateFunction,
])

/** Copies definitions from one database into another one, each with what it refers to. */
export class Copying {
  readonly #from: Session
  readonly #into: Session
  readonly #missing: Set<StoredObject>
  readonly #types = new Map<string, boolean>()
  /** What could not be copied, and why. */
  readonly problems: string[] = []

  /** `missing` loses what was copied, or could not be. */
  constructor(from: Session, into: Session, missing: Set<StoredObject>) {
    this.#from = from
    this.#into = into
    this.#missing = missing
  }

  /** Copies the missing objects that a text names; false if it names none. */
  async copyNamedIn(text: string): Promise<boolean> {
    const named = mentionedIn(text, [...this.#missing])
    for (const object of named) await this.#copy(object)
    return named.length > 0
  }

  async #copy(object: StoredObject): Promise<void> {
    // Another one may have needed it, and may refer back to it.
    if (!this.#missing.delete(object)) return
    if (object.kind === 'table') return this.#copyTable(object)
    if (object.kind === 'index') {
      const owner = await readTableOf(this.#from, object)
      const table = [...this.#missing].find(({ kind, oid }) => kind === 'table' && oid === owner)
      if (table !== undefined) return this.#copy(table)
    }
    const statement = await readStatementFor(this.#from, object)
    if (statement !== null) await this.#send(statement, labelOf(object))
  }

  async #copyTable(object: StoredObject): Promise<void> {
    const definition = await readTable(this.#from, object)
    if (definition === null) return
    const table = qualified(object.schema, object.name)
    const isCreated = await this.#create(object, table, definition)
    if (!isCreated) return
    for (const { name, generated, expression } of definition.columns) {
      if (generated !== '' || expression === null || definition.parent !== null) continue
      const column = identifier(name)
      await this.#send(
        `alter table ${table} alter column ${column} set default ${expression}`,
        `the default of ${object.name}.${name}`,
      )
    }
    for (const { name, definition: constraint } of definition.constraints) {
      const statement = `alter table ${table} add constraint ${identifier(name)} ${constraint}`
      await this.#send(statement, `the constraint ${name} of ${object.name}`)
    }
    for (const index of definition.indexes) await this.#send(index, `an index of ${object.name}`)
    for (const { schema, name, column } of definition.sequences) {
      const owner = `${table}.${identifier(column)}`
      await this.#send(`alter sequence ${qualified(schema, name)} owned by ${owner}`, `the sequence ${name}`)
    }
    // The indexes came with their table.
    const indexes = new Set(definition.indexOids)
    for (const each of this.#missing) if (each.kind === 'index' && indexes.has(each.oid)) this.#missing.delete(each)
  }

  async #create(object: StoredObject, table: string, definition: TableDefinition): Promise<boolean> {
    const { columns, partitionKey, parent } = definition
    const partitioned = partitionKey === null ? '' : ` partition by ${partitionKey}`
    if (parent !== null) {
      const statement = `create table ${table} partition of ${qualified(parent.schema, parent.name)} ${parent.bounds}${partitioned}`
      return this.#send(statement, labelOf(object))
    }
    const types: (readonly [ColumnDefinition, string])[] = []
    for (const column of columns) types.push([column, await this.#typeOf(object, column)])
    const create = (withGenerated: boolean): string => {
      const parts = types.map(([column, type]) => columnText(column, type, withGenerated))
      return `create table ${table} (${parts.join(', ')})${partitioned}`
    }
    if (columns.every(({ generated }) => generated === '')) return this.#send(create(true), labelOf(object))
    if (await this.#send(create(true), null)) return true
    const names = columns.filter(({ generated }) => generated !== '').map(({ name }) => name)
    this.problems.push(`how ${object.name} computes ${names.join(', ')}`)
    return this.#send(create(false), labelOf(object))
  }

  /** Returns the type of a column, or text if the type cannot be copied. */
  async #typeOf({ name: table }: StoredObject, { name, type }: ColumnDefinition): Promise<string> {
    // A domain may refuse null, an array of it does not.
    const isKnown = this.#types.get(type) ?? (await this.#send(`select null::${type}[]`, null))
    this.#types.set(type, isKnown)
    if (!isKnown) this.problems.push(`the type ${type} of ${table}.${name}, which is text there`)
    return isKnown ? type : 'pg_catalog.text'
  }

  /** Sends a statement, after copying what its failures name. Without a label, a failure is no problem. */
  async #send(statement: string, label: string | null): Promise<boolean> {
    for (;;) {
      const error = await this.#into
        .transaction((trx) => trx.send(statement))
        .then(
          () => null,
          (reason: unknown) => ({ reason }),
        )
      if (error === null || exists.has(sqlStateOf(error.reason))) return true
      const message = serverMessage(error.reason).trim()
      if (await this.copyNamedIn(message)) continue
      if (label !== null) this.problems.push(`${label} (${message})`)
      return false
    }
  }
}

function labelOf({ kind, name }: StoredObject): string {
  return `the ${kind} ${name}`
}

const identities: Readonly<Record<string, string>> = {
  a: ' generated always as identity',
  d: ' generated by default as identity',
}

const computed: Readonly<Record<string, string>> = { s: 'stored', v: 'virtual' }

function columnText(column: ColumnDefinition, type: string, withGenerated: boolean): string {
  const { name, isRequired, identity, generated, expression } = column
  const value = withGenerated && generated !== '' ? ` generated always as (${expression}) ${computed[generated]}` : ''
  return `${identifier(name)} ${type}${identities[identity] ?? ''}${value}${isRequired ? ' not null' : ''}`
}
