import type {
  ColumnType,
  MadeIndex,
  MadeTable,
  NamedIndex,
  Rebuild,
  RelationName,
  Statement,
  TableChange,
} from './statement.ts'
import {
  changed,
  hasVectors,
  mayBeIndexed,
  mayHoldVectors,
  tableFrom,
  unknownTable,
  withIndex,
  type KnownTable,
  type Table,
} from './known-table.ts'

/** An index that one of the migrations creates. */
interface MadeName extends NamedIndex {
  /** Whether it uses one of pgvector's methods. */
  readonly isVector: boolean
}

/** The tables at a point of a plan. */
export class Tables {
  readonly #isComplete: boolean
  #tables: readonly Table[]
  #names: readonly MadeName[] = []

  /** Without `known`, nothing is known about the database, and every table is assumed to have rows. */
  constructor(known: readonly KnownTable[] | null) {
    this.#isComplete = known !== null
    this.#tables = (known ?? []).map(tableFrom)
  }

  /** Returns the table that a name resolves to; undefined if nothing is known about it. */
  find({ schema, name }: RelationName): Table | undefined {
    const namesakes = this.#tables.filter((table) => table.name === name)
    if (schema === null) return namesakes.findLast(({ isVisible }) => isVisible) ?? namesakes.at(-1)
    return namesakes.findLast((table) => table.schema === schema) ?? namesakes.find((table) => table.schema === null)
  }

  /**
   * Returns the type of a column that holds vectors or bits; null if it holds something else, or if nothing is known
   * about it.
   */
  typeOf(table: RelationName, column: string | null): ColumnType | null {
    return column === null ? null : (this.find(table)?.columns.get(column) ?? null)
  }

  /** Whether a column may be in an index of pgvector's methods. */
  mayBeIndexed(table: RelationName, column: string): boolean {
    const found = this.find(table)
    return found === undefined || mayBeIndexed(found, column)
  }

  /** Whether this migration creates a table, or the table of an index, so that no other session can be using it. */
  isMadeIn(migration: string, relation: RelationName): boolean {
    if (this.find(relation)?.madeIn === migration) return true
    return this.#names.some(({ name, table }) => name === relation.name && this.find(table)?.madeIn === migration)
  }

  /** Whether one of the migrations creates a table, or the table of an index. */
  isMade(relation: RelationName): boolean {
    const madeIn = (table: RelationName): string | null => this.find(table)?.madeIn ?? null
    if (madeIn(relation) !== null) return true
    return this.#names.some(({ name, table }) => name === relation.name && madeIn(table) !== null)
  }

  /** Returns the same text for every name of a table, and for its indexes. */
  keyOf(relation: RelationName): string {
    const [owner] = this.find(relation) === undefined ? (this.#ownersOf(relation) ?? []) : []
    const { schema, name } = this.find(owner ?? relation) ?? owner ?? relation
    return JSON.stringify([schema, name])
  }

  /** Whether a table has an index of this name. */
  hasIndex(table: RelationName, name: string | null): boolean {
    if (name === null) return false
    if (this.find(table)?.indexes?.some((index) => index.name === name) === true) return true
    return this.#names.some((each) => each.name === name && each.table.name === table.name)
  }

  /** Whether a table may have rows: unknown ones, or rows that other sessions may have written in the meantime. */
  mayHaveRows(migration: string, name: RelationName): boolean {
    const table = this.find(name)
    return table === undefined || table.hasRows || (table.emptySince !== null && table.emptySince !== migration)
  }

  /** Whether a table certainly holds vectors, in this column or in any, which other sessions may have written. */
  hasLosableVectors(migration: string, name: RelationName, column: string | null): boolean {
    const table = this.find(name)
    if (table === undefined || !this.mayHaveRows(migration, name) || table.madeIn === migration) return false
    if (column === null) return hasVectors(table)
    return table.columns.has(column) && mayHoldVectors(table, column)
  }

  /** Whether a migration dropped a column that may have held vectors of other sessions. */
  hasDroppedVectors(migration: string, name: RelationName, column: string): boolean {
    const table = this.find(name)
    if (table === undefined || table.madeIn === migration) return false
    return table.dropped.get(column) === migration && this.mayHaveRows(migration, name)
  }

  /** Whether a table has an index of this name that no query uses. */
  hasInvalidIndex(table: RelationName, name: string | null): boolean {
    return this.find(table)?.indexes?.some((index) => index.name === name && index.isValid === false) ?? false
  }

  /** Returns the tables with their columns of vectors, as far as they are known. */
  known(): readonly Table[] {
    return this.#tables.filter(hasVectors)
  }

  /** Whether any table may have a column that holds vectors. */
  mayHoldVectors(): boolean {
    return !this.#isComplete || this.#tables.some(hasVectors)
  }

  /** Whether REINDEX may rebuild vector indexes on a table with rows that other sessions use. */
  mayRebuild(migration: string, { what, name }: Rebuild): boolean {
    const isUsed = (table: RelationName): boolean =>
      !this.isMadeIn(migration, table) && this.mayHaveRows(migration, table)
    if (what === 'index' && name !== null) {
      const owners = this.#ownersOf(name)
      return owners === null ? this.#isUnsure() : owners.some(isUsed)
    }
    if (what === 'table' && name !== null) {
      const found = this.find(name)
      return found === undefined ? !this.#isComplete : mayBeIndexed(found) && isUsed(found)
    }
    const within = this.#tables.filter(({ schema }) => name === null || schema === null || schema === name.name)
    return !this.#isComplete || within.some((table) => mayBeIndexed(table) && isUsed(table))
  }

  /** Applies what a statement does. */
  apply(statement: Statement, migration: string): void {
    const { makes, index, named, changes, drops, fills, empties, rebuild, concurrent } = statement
    for (const table of makes) this.#make(table, migration)
    if (named === null || !this.hasIndex(named.table, named.name)) this.#addIndex(named, index)
    for (const change of changes) this.#change(change, migration)
    for (const filled of fills) this.#replace(filled, (table) => ({ ...table, hasRows: true }))
    for (const empty of empties) {
      this.#replace(empty, (table) => ({ ...table, hasRows: false, emptySince: migration }))
    }
    for (const { what, names: dropped } of drops) this.#drop(what, dropped)
    if (concurrent?.what === 'REINDEX') this.#repair(concurrent.name)
    if (rebuild?.what === 'index') this.#repair(rebuild.name?.name ?? null)
  }

  /** Returns the tables that an index may be on: none if it is of another kind, null if nothing is known about it. */
  #ownersOf({ schema, name }: RelationName): readonly RelationName[] | null {
    const owners = this.#tables.filter(
      (table) =>
        (schema === null || table.schema === null || table.schema === schema) &&
        table.indexes?.some((index) => index.name === name) === true,
    )
    const made = this.#names.findLast((each) => each.name === name)
    if (owners.length > 0) return owners
    if (made === undefined) return null
    return made.isVector ? [made.table] : []
  }

  #isUnsure(): boolean {
    return !this.#isComplete || this.#tables.some(({ indexes }) => indexes === null)
  }

  #make({ table, columns, like, isConditional, hasRows, isPartitioned }: MadeTable, migration: string): void {
    const existing = this.find(table)
    if (isConditional && existing !== undefined) return
    const inherited = like.flatMap((parent) => [...(this.find(parent)?.columns ?? [])])
    const own = columns.map(({ name, type }) => [name, type] as const)
    const made: Table = {
      ...table,
      isVisible: table.schema === null,
      isKnown: like.every((parent) => this.find(parent)?.isKnown === true),
      dropped: new Map(),
      madeIn: migration,
      hasRows,
      emptySince: migration,
      isPartitioned,
      columns: new Map([...inherited, ...own]),
      indexes: [],
    }
    this.#tables = [...this.#tables, made]
  }

  #addIndex(named: NamedIndex | null, index: MadeIndex | null): void {
    if (named !== null) this.#names = [...this.#names, { ...named, isVector: index !== null }]
    if (index !== null) this.#replace(index.table, (table) => withIndex(table, index))
  }

  #change(change: TableChange, migration: string): void {
    const { table: name } = change
    if (change.kind === 'rename' && this.find(name) === undefined && this.#ownersOf(name) !== null) {
      this.#renameIndex(name.name, change.to)
      return
    }
    const found = this.find(name)
    if (found !== undefined && (change.kind === 'rename' || change.kind === 'move')) {
      const to = {
        schema: change.kind === 'move' ? change.to : name.schema,
        name: change.kind === 'rename' ? change.to : name.name,
      }
      this.#names = this.#names.map((each) => (this.find(each.table) === found ? { ...each, table: to } : each))
    }
    this.#replace(name, (table) => changed(table, change, migration))
  }

  #renameIndex(from: string, to: string): void {
    const renamed = <Named extends { readonly name: string | null }>(index: Named): Named =>
      index.name === from ? { ...index, name: to } : index
    this.#names = this.#names.map(renamed)
    this.#tables = this.#tables.map((table) => ({ ...table, indexes: table.indexes?.map(renamed) ?? null }))
  }

  #repair(name: string | null): void {
    this.#tables = this.#tables.map((table) => ({
      ...table,
      indexes: table.indexes?.map((index) => (index.name === name ? { ...index, isValid: true } : index)) ?? null,
    }))
  }

  #drop(what: string, dropped: readonly RelationName[]): void {
    if (what.endsWith('table') || what === 'materialized view') {
      const gone = new Set<Table | undefined>(dropped.flatMap((name) => this.find(name) ?? []))
      this.#names = this.#names.filter(({ table }) => !gone.has(this.find(table)))
      this.#tables = this.#tables.filter((table) => !gone.has(table))
    }
    if (what === 'index') {
      const names = new Set<string | null>(dropped.map(({ name }) => name))
      this.#names = this.#names.filter(({ name }) => !names.has(name))
      this.#tables = this.#tables.map((table) => ({
        ...table,
        indexes: table.indexes?.filter(({ name }) => !names.has(name)) ?? null,
      }))
    }
  }

  #replace(name: RelationName, by: (table: Table) => Table): void {
    const found = this.find(name)
    // A table about which nothing was known is remembered from now on, with everything that it may contain.
    const table = found ?? unknownTable(name)
    this.#tables = [...this.#tables.filter((each) => each !== found), by(table)]
  }
}
