import type { ColumnType, MadeTable, RelationName, Statement, TableChange } from './statement.ts'

/** A table as a database has it before the first of the migrations. */
export interface KnownTable extends RelationName {
  /** Whether a name without a schema means this one. */
  readonly isVisible: boolean
  readonly hasRows: boolean
  /** Its columns that hold vectors or bits. */
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[]
}

/** What is known of a table at some point of a plan. */
export interface Table extends RelationName {
  readonly isVisible: boolean
  /** The migration that makes it; null where it was there before. */
  readonly madeIn: string | null
  readonly hasRows: boolean
  readonly columns: ReadonlyMap<string, ColumnType | null>
}

/** The tables as they stand at some point of a plan. */
export class Tables {
  readonly #isComplete: boolean
  #tables: readonly Table[]
  /** The other relations, by the migration that makes them. */
  #names: readonly { readonly name: string; readonly madeIn: string }[] = []

  /** Without `known` nothing is known of the database, and every table is taken to have rows. */
  constructor(known: readonly KnownTable[] | null) {
    this.#isComplete = known !== null
    this.#tables = (known ?? []).map(({ columns, ...table }) => ({
      ...table,
      madeIn: null,
      columns: new Map(columns.map(({ name, type }) => [name, type])),
    }))
  }

  /** The table that a name means; undefined where nothing is known of it. */
  find({ schema, name }: RelationName): Table | undefined {
    const namesakes = this.#tables.filter((table) => table.name === name)
    if (schema === null) return namesakes.findLast(({ isVisible }) => isVisible) ?? namesakes.at(-1)
    return namesakes.findLast((table) => table.schema === schema) ?? namesakes.find((table) => table.schema === null)
  }

  /** The type of a column that holds vectors or bits; null where it holds something else, or nothing is known of it. */
  typeOf(table: RelationName, column: string | null): ColumnType | null {
    return column === null ? null : (this.find(table)?.columns.get(column) ?? null)
  }

  /** Whether a relation is made by this very migration, so that nobody else can be using it. */
  isMadeIn(migration: string, relation: RelationName): boolean {
    if (this.find(relation)?.madeIn === migration) return true
    return this.#names.some(({ name, madeIn }) => name === relation.name && madeIn === migration)
  }

  /** Whether rows must be reckoned with: unknown ones are, and so are those that others may have written meanwhile. */
  mayHaveRows(migration: string, name: RelationName): boolean {
    const table = this.find(name)
    return table === undefined || table.hasRows || (table.madeIn !== null && table.madeIn !== migration)
  }

  /** Whether some table may have a column that holds vectors. */
  mayHoldVectors(): boolean {
    return !this.#isComplete || this.#tables.some(hasVectors)
  }

  /** Takes in what a statement does. */
  apply({ makes, names, changes, drops, fills }: Statement, migration: string): void {
    for (const table of makes) this.#make(table, migration)
    this.#names = [...this.#names, ...names.map(({ name }) => ({ name, madeIn: migration }))]
    for (const change of changes) this.#replace(change.table, (table) => changed(table, change))
    for (const filled of fills) this.#replace(filled, (table) => ({ ...table, hasRows: true }))
    const dropped = drops.filter(({ what }) => what.endsWith('table')).flatMap(({ names: each }) => each)
    const gone = new Set(dropped.map((name) => this.find(name)))
    this.#tables = this.#tables.filter((table) => !gone.has(table))
  }

  #make({ table, columns, like, isConditional, hasRows }: MadeTable, migration: string): void {
    const existing = this.find(table)
    if (isConditional && existing !== undefined) return
    const inherited = like.flatMap((parent) => [...(this.find(parent)?.columns ?? [])])
    const own = columns.map(({ name, type }) => [name, type] as const)
    const made = { ...table, isVisible: table.schema === null, madeIn: migration, hasRows }
    this.#tables = [...this.#tables, { ...made, columns: new Map([...inherited, ...own]) }]
  }

  #replace(name: RelationName, by: (table: Table) => Table): void {
    const found = this.find(name)
    // A table that nothing was known of is remembered from now on, with all that may be in it.
    const table = found ?? { ...name, isVisible: name.schema === null, madeIn: null, hasRows: true, columns: new Map() }
    this.#tables = [...this.#tables.filter((each) => each !== found), by(table)]
  }
}

function hasVectors({ columns }: Table): boolean {
  return [...columns.values()].some((type) => type !== null && type.type !== 'bit')
}

function changed(table: Table, change: TableChange): Table {
  const columns = new Map(table.columns)
  switch (change.kind) {
    case 'column':
      columns.set(change.column.name, change.column.type)
      return { ...table, columns }
    case 'drop column':
      columns.delete(change.column)
      return { ...table, columns }
    case 'rename column':
      columns.set(change.to, table.columns.get(change.column) ?? null)
      columns.delete(change.column)
      return { ...table, columns }
    case 'rename':
      return { ...table, name: change.to }
    case 'move':
      return { ...table, schema: change.to }
  }
}
