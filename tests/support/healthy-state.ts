import type { PgvectorState } from '../../src/index.ts'

const caller = { role: 'app', database: 'app', searchPath: '"$user", public' }

/** What is read of a server on which nothing is wrong. */
export const healthy: PgvectorState = {
  server: { version: '17.6', major: 17, description: 'PostgreSQL 17.6' },
  provider: 'stock',
  installed: { version: '0.8.7', schema: 'public', oid: 16_384, missing: [], reach: 'plain', caller },
  readOnly: null,
  isCitus: false,
  role: { name: 'app', superuser: false, canCreateInDatabase: false },
  available: { defaultVersion: '0.8.7', versions: ['0.8.7'], trusted: false },
  owner: { name: 'postgres', isCurrentRole: false },
  target: { schema: 'public', exists: true },
  lookalikes: [],
  accessMethods: [],
  log: { schema: 'public', table: 'pgvector_migration_log', exists: true, writable: true, distrust: null },
}

/** The same with these SQL objects, and these files on the server. */
export const withVersion = (version: string, available = version): PgvectorState => ({
  ...healthy,
  installed: { version, schema: 'public', oid: 16_384, missing: [], reach: 'plain', caller },
  available: { defaultVersion: available, versions: [available], trusted: false },
})
