import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { assert, asyncProperty, constantFrom, nat, string } from 'fast-check'

import { lintMigrations, type LintFacts, type LintResult, type LintRule } from '../src/index.ts'
import { rules } from '../src/runner/lint/rules.ts'
import { vectorColumn } from '../src/vectors/column.ts'
import { vectorIndex } from '../src/vectors/vector-index.ts'

const ids = Object.keys(rules) as LintRule[]

/** Judges the statements of one migration. */
function lint(sql: string | readonly string[], facts?: LintFacts, transactional = true): Promise<LintResult> {
  const statements = (typeof sql === 'string' ? [sql] : sql).map((each) => ({ sql: each }))
  return lintMigrations([{ name: '001', transactional, statements }], facts)
}

/** The rules that found something. */
async function found(sql: string | readonly string[], facts?: LintFacts, transactional = true): Promise<string[]> {
  const { findings } = await lint(sql, facts, transactional)
  return [...new Set(findings.map(({ rule }) => rule))]
}

const patient = `set local lock_timeout = '1s'`
const documents = 'create table documents (id int, embedding vector(384), body text)'
const hnsw = 'create index documents_idx on documents using hnsw (embedding vector_cosine_ops)'
const ivfflat = 'create index on documents using ivfflat (embedding vector_l2_ops)'

/** A database with this one table. */
function having(hasRows: boolean, dimensions: number | null = 384): LintFacts {
  const columns = [{ name: 'embedding', type: { type: 'vector', dimensions } }] as const
  return { tables: [{ schema: 'public', name: 'documents', isVisible: true, hasRows, columns }] }
}

interface Case {
  readonly what: string
  readonly sql: string | readonly string[]
  readonly facts?: LintFacts
  readonly transactional?: boolean
}

interface Examples {
  readonly finds: readonly Case[]
  readonly passes: readonly Case[]
}

const cosine = vectorIndex(vectorColumn('documents', 'embedding', { dimensions: 384 }), {
  method: 'hnsw',
  metric: 'cosine',
})

const l2 = 'create index on documents using hnsw (embedding vector_l2_ops)'
const search = (operator: string): string =>
  `create function nearest() returns setof documents language plpgsql as $$ begin
    return query select * from documents order by embedding operator(public.${operator}) '[1]' limit 5;
  end $$`

const examples: Readonly<Record<LintRule, Examples>> = {
  'blocking-index': {
    finds: [
      { what: 'an index on a table that nothing is known of', sql: hnsw },
      { what: 'an index on a table with rows', sql: hnsw, facts: having(true) },
      { what: 'a name with its schema', sql: hnsw.replace(' documents ', ' public.documents '), facts: having(true) },
      { what: 'ivfflat', sql: ivfflat, facts: having(true) },
      {
        what: 'a table that was there before',
        sql: [documents.replace('table', 'table if not exists'), hnsw],
        facts: having(true),
      },
      {
        what: 'an empty table that is filled before',
        sql: ['insert into documents select 1', hnsw],
        facts: having(false),
      },
    ],
    passes: [
      { what: 'CONCURRENTLY', sql: hnsw.replace('index', 'index concurrently'), facts: having(true) },
      { what: 'a table of this migration', sql: [documents, hnsw] },
      {
        what: 'a table of this migration under another name',
        sql: [documents, 'alter table documents rename to papers', hnsw.replace('on documents', 'on papers')],
      },
      { what: 'a table without rows', sql: hnsw, facts: having(false) },
      { what: 'an index of another kind', sql: 'create index on documents (id)' },
      {
        what: 'an index on a partitioned table without its partitions',
        sql: hnsw.replace('on documents', 'on only documents'),
      },
    ],
  },
  'operator-class': {
    finds: [
      { what: 'none with ivfflat', sql: ivfflat.replace(' vector_l2_ops', '') },
      { what: 'none with hnsw', sql: hnsw.replace(' vector_cosine_ops', '') },
      { what: 'another one than is declared', sql: l2, facts: { declared: [cosine] } },
      { what: 'that of another type', sql: [documents, l2.replace('vector_l2', 'halfvec_l2')] },
      { what: 'that of the column where a cast is indexed', sql: l2.replace('embedding', '(embedding::halfvec(384))') },
      { what: 'one that ivfflat does not have', sql: ivfflat.replace('vector_l2', 'vector_l1') },
      { what: 'one that no function searches by', sql: [documents, l2, search('<=>')] },
      {
        what: 'one that no view searches by',
        sql: [documents, `create view v as select embedding <#> '[1]' from documents`, l2],
      },
    ],
    passes: [
      { what: 'the one that is declared', sql: hnsw, facts: { declared: [cosine] } },
      {
        what: 'an index on a column that is not declared',
        sql: l2.replace('embedding', 'other'),
        facts: { declared: [cosine] },
      },
      { what: 'a class with its schema', sql: hnsw.replace('vector_cosine', 'extensions.vector_cosine') },
      { what: 'one that a function searches by', sql: [documents, hnsw, search('<=>'), search('<->')] },
      { what: 'functions on other tables', sql: [documents, l2, search('<=>').replaceAll('documents', 'papers')] },
      {
        what: 'an operator in a comment or a text',
        sql: [l2, `create view v as select embedding, '<=>' /* <=> */ from documents`],
      },
      { what: 'a class that is not of pgvector', sql: l2.replace('vector_l2_ops', 'my_ops') },
      {
        what: 'the signs of a column',
        sql: [
          documents,
          'create index on documents using hnsw ((binary_quantize(embedding)::bit(384)) bit_hamming_ops)',
        ],
      },
    ],
  },
  'unsized-column': {
    finds: [
      { what: 'a column without dimensions', sql: [documents.replace('(384)', ''), hnsw] },
      { what: 'one that was there before', sql: hnsw, facts: having(false, null) },
      {
        what: 'one that is added',
        sql: ['alter table papers add embedding vector', hnsw.replaceAll('documents', 'papers')],
      },
      { what: 'one in parentheses', sql: [documents.replace('(384)', ''), hnsw.replace('embedding', '(embedding)')] },
      {
        what: 'one of a partition',
        sql: [
          documents.replace('(384)', ''),
          'create table p partition of documents default',
          hnsw.replace('on documents', 'on p'),
        ],
      },
      { what: 'a cast without dimensions', sql: hnsw.replace('embedding vector', '(embedding::halfvec) halfvec') },
    ],
    passes: [
      { what: 'a column with dimensions', sql: [documents, hnsw] },
      {
        what: 'a cast with dimensions',
        sql: [documents.replace('(384)', ''), hnsw.replace('embedding', '(embedding::vector(384))')],
      },
      {
        what: 'one that gets them before',
        sql: [documents.replace('(384)', ''), 'alter table documents alter embedding type vector(3)', hnsw],
      },
      { what: 'a column without an index', sql: documents.replace('(384)', '') },
    ],
  },
  'too-many-dimensions': {
    finds: [
      { what: 'vector(2001)', sql: [documents.replace('384', '2001'), hnsw] },
      { what: 'halfvec(4001)', sql: hnsw.replace('embedding vector', '(embedding::halfvec(4001)) halfvec') },
      {
        what: 'bit(64001)',
        sql: ['create table t (b bit(64001))', 'create index on t using hnsw (b bit_hamming_ops)'],
      },
      { what: 'a column that was there before', sql: hnsw, facts: having(false, 3072) },
      {
        what: 'a column under a new name',
        sql: [
          documents.replace('384', '3072'),
          'alter table documents rename embedding to e',
          hnsw.replace('embedding', 'e'),
        ],
      },
    ],
    passes: [
      { what: 'vector(2000)', sql: [documents.replace('384', '2000'), hnsw] },
      {
        what: 'a cast to halfvec(3072)',
        sql: [documents.replace('384', '3072'), hnsw.replace('embedding vector', '(embedding::halfvec(3072)) halfvec')],
      },
      {
        what: 'the signs of 16,000 dimensions',
        sql: 'create index on t using hnsw ((binary_quantize(e)::bit(16000)) bit_hamming_ops)',
      },
      {
        what: 'a sparse vector, where others count',
        sql: ['create table t (e sparsevec(30000))', 'create index on t using hnsw (e sparsevec_l2_ops)'],
      },
    ],
  },
  'ivfflat-without-rows': {
    finds: [
      { what: 'a table of this migration', sql: [documents, ivfflat] },
      { what: 'a table without rows', sql: ivfflat.replace('index', 'index concurrently'), facts: having(false) },
    ],
    passes: [
      { what: 'a table with rows', sql: ivfflat, facts: having(true) },
      { what: 'a table that is filled before', sql: [documents, `insert into documents values (1)`, ivfflat] },
      { what: 'a table that is made of a query', sql: ['create table documents as select * from old', ivfflat] },
      { what: 'hnsw', sql: [documents, hnsw] },
    ],
  },
  'drop-extension': {
    finds: [
      { what: 'drop extension vector', sql: 'drop extension vector' },
      { what: 'several of them', sql: 'DROP EXTENSION IF EXISTS pg_trgm, "vector" RESTRICT' },
    ],
    passes: [
      { what: 'another extension', sql: 'drop extension pg_trgm' },
      { what: 'enabling it', sql: 'create extension vector' },
    ],
  },
  cascade: {
    finds: [
      { what: 'a type', sql: 'drop type public.vector cascade' },
      { what: 'a schema', sql: 'drop schema app cascade', facts: having(true) },
      { what: 'a table', sql: 'drop table documents cascade', facts: having(true) },
      { what: 'a column', sql: 'alter table documents drop column embedding cascade', facts: having(true) },
      { what: 'what a role owns', sql: 'drop owned by app cascade' },
      {
        what: 'columns that the migration itself makes',
        sql: [documents, 'drop schema app cascade'],
        facts: { tables: [] },
      },
    ],
    passes: [
      { what: 'RESTRICT', sql: 'drop table documents' },
      { what: 'an index', sql: 'drop index documents_idx cascade' },
      { what: 'a database without vectors', sql: 'drop schema app cascade', facts: { tables: [] } },
    ],
  },
  'change-type': {
    finds: [
      { what: 'other dimensions', sql: 'alter table documents alter embedding type vector(768)', facts: having(true) },
      { what: 'another type', sql: 'alter table documents alter embedding type halfvec(384)', facts: having(true) },
      {
        what: 'text that becomes vectors',
        sql: 'alter table documents alter body type vector(3) using body::vector(3)',
      },
      { what: 'vectors that become text', sql: 'alter table documents alter embedding type text', facts: having(true) },
    ],
    passes: [
      {
        what: 'a table without rows',
        sql: 'alter table documents alter embedding type vector(768)',
        facts: having(false),
      },
      { what: 'a table of this migration', sql: [documents, 'alter table documents alter embedding type vector(768)'] },
      {
        what: 'no dimensions any more, which writes nothing',
        sql: 'alter table documents alter embedding type vector',
        facts: having(true),
      },
      { what: 'a column of another kind', sql: 'alter table documents alter id type bigint', facts: having(true) },
    ],
  },
  'lock-timeout': {
    finds: [
      { what: 'ALTER TABLE', sql: 'alter table documents add title text' },
      { what: 'a new name', sql: 'alter table documents rename to papers' },
      { what: 'CREATE INDEX', sql: 'create index on documents (id)' },
      { what: 'DROP TABLE', sql: 'drop table documents' },
      { what: 'DROP INDEX', sql: 'drop index documents_idx' },
      { what: 'TRUNCATE', sql: 'truncate documents' },
      { what: 'a trigger', sql: 'create trigger t after insert on documents execute function f()' },
      { what: 'a table that refers to one', sql: 'create table notes (document int references documents)' },
      { what: 'a partition', sql: 'create table notes partition of documents default' },
      { what: 'a limit of zero, which is none', sql: ['set lock_timeout = 0', 'drop table documents'] },
      { what: 'a limit that is taken back', sql: [patient, 'reset lock_timeout', 'drop table documents'] },
      {
        what: 'a limit of a transaction that has ended',
        sql: ['begin', patient, 'commit', 'drop table documents'],
        transactional: false,
      },
      { what: 'a local limit outside a transaction', sql: [patient, 'drop table documents'], transactional: false },
    ],
    passes: [
      { what: 'a limit', sql: [patient, 'alter table documents add title text'] },
      {
        what: 'a limit that a query sets',
        sql: [`select set_config('lock_timeout', '1s', true)`, 'drop table documents'],
      },
      {
        what: 'a limit of the session',
        sql: ['set lock_timeout to 1000', 'begin', 'commit', 'drop table documents'],
        transactional: false,
      },
      { what: 'a limit that every session has', sql: 'drop table documents', facts: { hasLockTimeout: true } },
      {
        what: 'a table of this migration',
        sql: [
          documents,
          'alter table documents add title text',
          'create index i on documents (id)',
          'drop index i',
          'drop table documents',
        ],
      },
      {
        what: 'CONCURRENTLY',
        sql: ['create index concurrently on documents (id)', 'drop index concurrently i'],
        transactional: false,
      },
      {
        what: 'a change that lets others work',
        sql: 'alter table documents alter embedding set statistics 0, validate constraint c',
      },
      { what: 'rows', sql: ['insert into documents values (1)', 'delete from documents', 'select 1 from documents'] },
    ],
  },
}

describe.each(ids)('the rule %s', (id) => {
  const { finds, passes } = examples[id]

  test.each(finds)('finds $what', async ({ sql, facts, transactional }) => {
    expect(await found(sql, facts, transactional)).toContain(id)
  })

  test.each(passes)('has nothing against $what', async ({ sql, facts, transactional }) => {
    const { findings, unread } = await lint(sql, facts, transactional)
    expect(findings.map(({ rule }) => rule)).not.toContain(id)
    expect(unread).toEqual([])
  })

  test.each(finds.slice(0, 1))('lets a comment in the statement allow it: $what', async ({ sql, facts }) => {
    const statements = typeof sql === 'string' ? [sql] : sql
    const { rule } = (await lint(sql, facts)).findings.find((finding) => finding.rule === id) ?? {}
    const allowing = statements.map((each) => `-- knex-pgvector: allow ${rule}: it is known\n${each}`)
    const { findings, allowed } = await lint(allowing, facts)
    expect(findings.map((finding) => finding.rule)).not.toContain(id)
    expect(allowed).toContainEqual(expect.objectContaining({ rule: id, reason: 'it is known' }))
  })

  test('says what is wrong, what to do and where it is explained', async () => {
    for (const { sql, facts, transactional } of finds) {
      const { findings } = await lint(sql, facts, transactional)
      const finding = findings.find(({ rule }) => rule === id)
      expect(finding?.message).toMatch(/^[A-Z][^]*[^.]$/)
      expect(finding?.next).toMatch(/^[A-Z]/)
      expect(finding?.docsUrl).toMatch(new RegExp(`/docs/lint\\.md#${id}$`))
    }
  })
})

describe('docs/lint.md', () => {
  const headings = [...readFileSync(join(__dirname, '../docs/lint.md'), 'utf8').matchAll(/^## (.+)$/gm)]

  test('has a heading for every rule and for no other, after how to allow them', () => {
    expect(headings.map(([, heading]) => heading)).toEqual(['Allow a finding', ...ids])
  })
})

describe('a table of an earlier migration', () => {
  const transactional = true
  const earlier = { name: '001', transactional, statements: [{ sql: documents }] }

  test('may have rows by the time that its index is built', async () => {
    const later = { name: '002', transactional, statements: [{ sql: hnsw }] }
    const { findings } = await lintMigrations([earlier, later], { tables: [] })
    expect(findings.map(({ migration, rule }) => [migration, rule])).toEqual([
      ['002', 'blocking-index'],
      ['002', 'lock-timeout'],
    ])
  })

  test('is known with its columns, and a limit of that migration has ended', async () => {
    const migrations = [
      { ...earlier, statements: [{ sql: documents.replace('(384)', '') }, { sql: `set local lock_timeout = '1s'` }] },
      { name: '002', transactional, statements: [{ sql: hnsw }] },
    ]
    const { findings } = await lintMigrations(migrations, { tables: [] })
    expect(findings.map(({ rule }) => rule)).toEqual(['blocking-index', 'unsized-column', 'lock-timeout'])
  })
})

describe('a comment that allows', () => {
  test.each([
    ['several rules', '-- knex-pgvector: allow blocking-index, lock-timeout: at night\n'],
    [
      'in two comments',
      '-- knex-pgvector: allow blocking-index: at night\n/* knex-pgvector: allow lock-timeout: at night */',
    ],
    ['whatever its case', '-- Knex-PGVector:  ALLOW  lock-timeout ,blocking-index :  at night\n'],
  ])('is read: %s', async (_what, comment) => {
    const { findings, allowed, notes } = await lint(`${comment}${hnsw}`)
    expect(findings).toEqual([])
    expect(allowed.map(({ rule, reason }) => [rule, reason])).toEqual([
      ['blocking-index', 'at night'],
      ['lock-timeout', 'at night'],
    ])
    expect(notes).toEqual([])
  })

  test('stands inside the statement too', async () => {
    const sql = hnsw.replace('using', '-- knex-pgvector: allow blocking-index: at night\nusing')
    expect(await found(sql)).toEqual(['lock-timeout'])
  })

  test.each([
    ['no reason', '-- knex-pgvector: allow lock-timeout\n', /allows nothing/],
    ['an empty reason', '-- knex-pgvector: allow lock-timeout:  \n', /allows nothing/],
    ['no such rule', '-- knex-pgvector: allow locktimeout: at night\n', /no such rule: they are blocking-index, /],
    ['nothing to allow', '-- knex-pgvector: allow cascade: at night\n', /nothing to allow/],
  ])('is of no use with %s', async (_what, comment, note) => {
    const { findings, notes } = await lint(`${comment}drop table documents`)
    expect(findings.map(({ rule }) => rule)).toEqual(['lock-timeout'])
    expect(notes).toEqual([expect.stringMatching(note)])
  })

  test('is none in a text', async () => {
    const sql = `alter table documents add title text default '-- knex-pgvector: allow lock-timeout: at night'`
    expect(await found(sql)).toEqual(['lock-timeout'])
  })

  test('is for its own statement alone', async () => {
    const sql = `-- knex-pgvector: allow lock-timeout: at night\ndrop table a; drop table b`
    const { findings } = await lint(sql)
    expect(findings.map(({ statement }) => statement)).toEqual(['drop table b'])
  })
})

describe('what is not read', () => {
  test('is named, and the rest is judged', async () => {
    const { unread, findings } = await lint(['selec 1', 'do $$ begin drop table a; end $$', 'drop table b'])
    expect(unread).toEqual([
      { migration: '001', statement: 'selec 1', reason: 'syntax error at or near "selec"' },
      { migration: '001', statement: 'do $$ begin drop table a; end $$', reason: expect.stringContaining('DO block') },
    ])
    expect(findings.map(({ statement }) => statement)).toEqual(['drop table b'])
  })

  test('ends nothing, whatever is cut from or put into statements', async () => {
    const statements = Object.values(examples).flatMap(({ finds, passes }) =>
      [...finds, ...passes].flatMap(({ sql }) => sql),
    )
    await assert(
      asyncProperty(
        constantFrom(...statements),
        nat(),
        nat(),
        string({ unit: 'binary' }),
        async (sql, from, length, put) => {
          const start = from % sql.length
          const { findings, unread } = await lint(sql.slice(0, start) + put + sql.slice(start + (length % 20)))
          expect(findings.every(({ rule }) => ids.includes(rule)) && unread.length >= 0).toBe(true)
        },
      ),
    )
  })
})

describe('without its parser', () => {
  test('says what to install', async () => {
    jest.doMock('libpg-query', () => {
      throw Object.assign(new Error(`Cannot find module 'libpg-query'`), { code: 'MODULE_NOT_FOUND' })
    })
    try {
      await jest.isolateModulesAsync(async () => {
        const library = await import('../src/index.ts')
        await expect(library.lintMigrations([])).rejects.toMatchObject({
          code: 'PARSER_NOT_INSTALLED',
          hint: 'Run: npm install --save-dev libpg-query',
        })
      })
    } finally {
      jest.dontMock('libpg-query')
    }
  })
})
