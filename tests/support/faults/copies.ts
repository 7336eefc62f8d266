import { randomBytes } from 'node:crypto'

import Knex, { type Knex as KnexInstance } from 'knex'

import type { TestServer } from '../found-servers.ts'

/** A database in which an operation is run. */
export interface Place {
  readonly name: string
  readonly url: string
  /** A connection to the server's own database, which no fault hits. */
  readonly administrator: KnexInstance
}

/** A database that is there to be copied: to copy one takes less than to make it again. */
export interface Template {
  withCopy<Result>(work: (place: Place) => Promise<Result>): Promise<Result>
  drop(): Promise<void>
}

/** Makes a template that contains what `prepare` makes. */
export async function createTemplate(
  server: TestServer,
  administrator: KnexInstance,
  prepare: (knex: KnexInstance, url: string) => Promise<void>,
): Promise<Template> {
  const template = newName()
  await administrator.raw(`create database ${template}`)
  const url = urlOf(server, template)
  await withDatabase(url, (knex) => prepare(knex, url))
  const copiesFiles = server.isInMemory === true && server.major >= 15
  return {
    withCopy: async (work) => {
      const name = newName()
      await administrator.raw(`create database ${name} template ${template}${copiesFiles ? ' strategy file_copy' : ''}`)
      try {
        return await work({ name, url: urlOf(server, name), administrator })
      } finally {
        await administrator.raw(`drop database ${name} with (force)`)
      }
    },
    drop: async () => {
      await administrator.raw(`drop database ${template} with (force)`)
    },
  }
}

/** Works with a connection of its own. */
export async function withDatabase<Result>(
  url: string,
  work: (knex: KnexInstance) => Promise<Result>,
): Promise<Result> {
  const knex = Knex({ client: 'pg', connection: url, pool: { min: 0, max: 1 } })
  try {
    return await work(knex)
  } finally {
    await knex.destroy()
  }
}

function newName(): string {
  return `test_${randomBytes(6).toString('hex')}`
}

function urlOf({ url }: TestServer, name: string): string {
  const named = new URL(url)
  named.pathname = `/${name}`
  return named.href
}
