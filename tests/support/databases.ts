import { randomBytes } from 'node:crypto'

import Knex, { type Knex as KnexInstance } from 'knex'

import { embeddedPgvector } from '../../src/embedded.ts'
import { testServers, type TestServer } from './found-servers.ts'

/** A database of one test: made for it, or cleaned before it, and gone after it. */
export interface TestDatabase {
  /** A superuser's connection. */
  readonly knex: KnexInstance
  /** Its URL; null on the embedded database. */
  readonly url: string | null
  readonly major: number
  /** The version that `create extension vector` installs. */
  readonly pgvector: string
  /** Another Knex on the same database, closed after the test. Servers only. */
  readonly connect: (config?: KnexInstance.Config) => KnexInstance
}

/** What stands for the database of the running test. */
export type CurrentDatabase = () => TestDatabase

interface Target {
  readonly name: string
  readonly hooks: () => CurrentDatabase
}

/** Runs the same behaviour on the embedded database and on every server that has pgvector. */
export function describeOnEveryDatabase(title: string, body: (database: CurrentDatabase) => void): void {
  describeOn(title, [embedded, ...servers((server) => server.pgvector !== null && server.major >= 14)], body)
  skipMissing(title, 'pgvector/')
}

/** Runs behaviour that needs several connections: on every server that has pgvector. */
export function describeOnServers(title: string, body: (database: CurrentDatabase) => void): void {
  describeOn(
    title,
    servers((server) => server.pgvector !== null && server.major >= 14),
    body,
  )
  skipMissing(title, 'pgvector/')
}

/** Runs behaviour that needs a server, whichever version it has: on the newest that has pgvector. */
export function describeOnOneServer(title: string, body: (database: CurrentDatabase) => void): void {
  const newest = servers((server) => server.pgvector !== null && server.major >= 14).slice(-1)
  describeOn(title, newest, body)
  if (newest.length === 0) skipMissing(title, 'pgvector/pgvector:pg18')
}

/** Runs behaviour of a server without pgvector's files. */
export function describeWithoutPgvector(title: string, body: (database: CurrentDatabase) => void): void {
  describeOn(
    title,
    servers((server) => server.pgvector === null && server.major >= 14),
    body,
  )
  skipMissing(title, 'postgres:17')
}

/** Runs behaviour of a server that is too old for this library. */
export function describeOnOldPostgres(title: string, body: (database: CurrentDatabase) => void): void {
  describeOn(
    title,
    servers((server) => server.major < 14),
    body,
  )
  skipMissing(title, 'postgres:13')
}

/** Runs behaviour on the embedded database alone. */
export function describeEmbedded(title: string, body: (database: CurrentDatabase) => void): void {
  describeOn(title, [embedded], body)
}

function describeOn(title: string, targets: readonly Target[], body: (database: CurrentDatabase) => void): void {
  afterAll(closeAdministrators)
  for (const { name, hooks } of targets) {
    // The name of the server goes last, so that the report still reads as sentences.
    describe(`${title} [${name}]`, () => {
      body(hooks())
    })
  }
}

function skipMissing(title: string, kind: string): void {
  for (const image of testServers().missing.filter((name) => name.startsWith(kind))) {
    describe.skip(`${title} [${image}]`, () => {
      test(`needs the server ${image}`, () => undefined)
    })
  }
}

const embedded: Target = {
  name: 'embedded',
  hooks: () =>
    useDatabase(async () => {
      const taken = await worker.takeEmbedded()
      const knex = Knex(embeddedPgvector({ pglite: taken.pglite }))
      return {
        database: { knex, url: null, major: 18, pgvector: taken.pgvector, connect: refuse },
        close: async () => {
          await knex.destroy()
          await worker.returnEmbedded(taken)
        },
      }
    }),
}

function refuse(): never {
  throw new Error('the embedded database has one connection; this test belongs in describeOnServers')
}

function servers(fits: (server: TestServer) => boolean): Target[] {
  return testServers()
    .found.filter(fits)
    .map((server) => ({ name: server.name, hooks: () => useDatabase(() => createDatabase(server)) }))
}

async function createDatabase(server: TestServer): Promise<Opened> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const copiesFiles = server.isInMemory === true && server.major >= 15
  const administrator = administratorOf(server)
  await administrator.raw(`create database ${name}${copiesFiles ? ' strategy file_copy' : ''}`)
  const url = new URL(server.url)
  url.pathname = `/${name}`
  const opened: KnexInstance[] = []
  const connect = (config: KnexInstance.Config = {}): KnexInstance => {
    const knex = Knex({ client: 'pg', connection: url.href, ...config })
    opened.push(knex)
    return knex
  }
  const knex = connect()
  return {
    database: { knex, url: url.href, major: server.major, pgvector: server.pgvector ?? '', connect },
    close: async () => {
      await Promise.all(opened.map((each) => each.destroy()))
      await administrator.raw(`drop database ${name} with (force)`)
    },
  }
}

const administrators = new Map<string, KnexInstance>()

/** A connection to the server's own database, for what belongs to the whole cluster; one serves a file. */
function administratorOf({ url }: TestServer): KnexInstance {
  const administrator = administrators.get(url) ?? Knex({ client: 'pg', connection: url, pool: { min: 0, max: 1 } })
  administrators.set(url, administrator)
  return administrator
}

async function closeAdministrators(): Promise<void> {
  await Promise.all([...administrators.values()].map((administrator) => administrator.destroy()))
  administrators.clear()
}

interface Opened {
  readonly database: TestDatabase
  readonly close: () => Promise<void>
}

function useDatabase(open: () => Promise<Opened>): CurrentDatabase {
  let opened: Opened | undefined
  beforeEach(async () => {
    opened = await open()
  })
  afterEach(async () => {
    const { close } = opened ?? {}
    opened = undefined
    await close?.()
  })
  return () => {
    if (opened === undefined) throw new Error('there is a database only inside a test')
    return opened.database
  }
}
