import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { assert, asyncProperty, constantFrom, nat, string } from 'fast-check'

import { ensurePgvector, vectorColumn, vectorIndex } from '../src/index.ts'
import { type KnownTable, type LintFacts, lintMigrations, type LintResult, type LintRule } from '../src/lint.ts'
import { rules } from '../src/lint/rules.ts'
import { describeEmbedded } from './support/databases.ts'

const all = Object.keys(rules) as LintRule[]

/** The rules about statements. The other one is in lint-places.test.ts. */
type StatementRule = Exclude<LintRule, 'not-awaited'>
const ids = all.filter((id): id is StatementRule => id !== 'not-awaited')

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

/** A database with this one table, and with an index of it. */
function havingIndex(table: Partial<KnownTable> = {}): LintFacts {
  const known = { schema: 'public', name: 'documents', isVisible: true, hasRows: true } as const
  const columns = [
    { name: 'embedding', type: { type: 'vector', dimensions: 384 } },
    { name: 'bits', type: { type: 'bit', dimensions: 384 } },
  ] as const
  return { tables: [{ ...known, columns, indexes: [{ name: 'documents_idx', column: 'bits' }], ...table }] }
}

interface Case {
  readonly what: string
  readonly sql: string | readonly string[]
  readonly facts?: LintFacts
  readonly transactional?: boolean
}

const onlyBits: LintFacts = havingIndex({ columns: [{ name: 'bits', type: { type: 'bit', dimensions: 384 } }] })

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

const concurrent = hnsw.replace('index', 'index concurrently')
const invalid = havingIndex({ indexes: [{ name: 'documents_idx', column: 'embedding', isValid: false }] })
const dropColumn = 'alter table documents drop column embedding'
const addColumn = 'alter table documents add column embedding vector(768)'
const textDropped = 'alter table documents drop column body'
const textAdded = 'alter table documents add column body vector(768)'
const matching = (type: string): string =>
  `create function match(query ${type}, count int) returns table (id int) language sql as $$
    select d.id from documents d order by d.embedding <=> query limit count
  $$`

const examples: Readonly<Record<StatementRule, Examples>> = {
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
      {
        what: 'an index `on only` a table that has no partitions',
        sql: hnsw.replace('on documents', 'on only documents'),
        facts: havingIndex({ isPartitioned: false }),
      },
      { what: 'REINDEX of its index', sql: 'reindex index documents_idx', facts: havingIndex() },
      { what: 'REINDEX of its table', sql: 'reindex table public.documents', facts: havingIndex() },
      { what: 'REINDEX of its schema', sql: 'reindex schema public', facts: havingIndex(), transactional: false },
      { what: 'REINDEX of the database', sql: 'reindex database', facts: havingIndex(), transactional: false },
      {
        what: 'REINDEX of an index that the migration itself makes of a table with rows',
        sql: [hnsw.replace('index', 'index concurrently'), 'reindex index documents_idx'],
        facts: having(true),
        transactional: false,
      },
      {
        what: 'an index that is only made where it is not there, and is not',
        sql: hnsw.replace('index', 'index if not exists').replace('documents_idx', 'another_idx'),
        facts: havingIndex(),
      },
      { what: 'REINDEX of an index that nothing is known of', sql: 'reindex index documents_idx' },
      {
        what: 'REINDEX with CONCURRENTLY switched off',
        sql: 'reindex (verbose, concurrently off) table documents',
        facts: havingIndex(),
      },
      {
        what: 'REINDEX of an index under its new name',
        sql: ['alter index documents_idx rename to papers_idx', 'reindex index papers_idx'],
        facts: havingIndex(),
      },
      {
        what: 'REINDEX of an index that was made and dropped and made again',
        sql: [
          'drop index documents_idx',
          hnsw.replace('index', 'index concurrently'),
          'alter table documents rename to papers',
          'reindex table papers',
        ],
        facts: havingIndex(),
      },
    ],
    passes: [
      {
        what: 'an index `on only` a table with partitions',
        sql: hnsw.replace('on documents', 'on only documents'),
        facts: havingIndex({ isPartitioned: true }),
      },
      { what: 'REINDEX CONCURRENTLY', sql: 'reindex index concurrently documents_idx', facts: havingIndex() },
      { what: 'REINDEX (CONCURRENTLY)', sql: 'reindex (concurrently) table documents', facts: havingIndex() },
      { what: 'REINDEX of an index of another kind', sql: 'reindex index documents_pkey', facts: havingIndex() },
      {
        what: 'REINDEX of an index of another kind that is made before',
        sql: ['create index i on documents (id)', 'reindex index i'],
      },
      {
        what: 'REINDEX of a table without rows',
        sql: 'reindex table documents',
        facts: havingIndex({ hasRows: false }),
      },
      {
        what: 'REINDEX of a table without such an index',
        sql: 'reindex table documents',
        facts: havingIndex({ indexes: [] }),
      },
      { what: 'REINDEX of another schema', sql: 'reindex schema app', facts: havingIndex(), transactional: false },
      {
        what: 'REINDEX of a table whose index is gone',
        sql: ['drop index documents_idx', 'reindex table documents'],
        facts: havingIndex(),
      },
      { what: 'a table that is emptied before', sql: ['truncate documents', hnsw], facts: having(true) },
      {
        what: 'an index that is there already, and is made only where it is not',
        sql: hnsw.replace('index', 'index if not exists'),
        facts: havingIndex(),
      },
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
  concurrently: {
    finds: [
      { what: 'an index in the transaction of the migration', sql: concurrent, facts: having(true) },
      { what: 'an index of any method', sql: 'create index concurrently on documents (id)' },
      { what: 'one in a transaction of its own', sql: ['begin', concurrent, 'commit'], transactional: false },
      {
        what: 'two in one string',
        sql: `${concurrent}; create index concurrently on documents (id)`,
        transactional: false,
      },
      { what: 'REINDEX', sql: 'reindex (concurrently) index documents_idx' },
      { what: 'DROP INDEX', sql: 'drop index concurrently documents_idx' },
    ],
    passes: [
      { what: 'an index outside a transaction', sql: concurrent, transactional: false },
      {
        what: 'two, each sent alone',
        sql: [concurrent, 'create index concurrently on documents (id)'],
        transactional: false,
      },
      { what: 'one with a semicolon at its end', sql: `${concurrent};`, transactional: false },
      { what: 'one behind a transaction', sql: ['begin', 'select 1', 'commit', concurrent], transactional: false },
      { what: 'an index that blocks', sql: hnsw },
      { what: 'REINDEX with CONCURRENTLY switched off', sql: 'reindex (concurrently off) table documents' },
    ],
  },
  'invalid-index': {
    finds: [
      {
        what: 'IF NOT EXISTS over an index that is invalid',
        sql: concurrent.replace('concurrently', 'concurrently if not exists'),
        facts: invalid,
        transactional: false,
      },
      { what: 'the same without CONCURRENTLY', sql: hnsw.replace('index', 'index if not exists'), facts: invalid },
    ],
    passes: [
      { what: 'one over a valid index', sql: hnsw.replace('index', 'index if not exists'), facts: havingIndex() },
      { what: 'one without IF NOT EXISTS', sql: hnsw, facts: invalid },
      { what: 'another name', sql: hnsw.replace('index documents', 'index if not exists d'), facts: invalid },
      {
        what: 'one that is dropped before',
        sql: ['drop index documents_idx', hnsw.replace('index', 'index if not exists')],
        facts: invalid,
      },
      {
        what: 'one that is rebuilt before',
        sql: ['reindex index concurrently documents_idx', hnsw.replace('index', 'index if not exists')],
        facts: invalid,
        transactional: false,
      },
    ],
  },
  'index-option': {
    finds: [
      { what: 'lists of hnsw', sql: `${hnsw} with (lists = 100)` },
      { what: 'm of ivfflat', sql: `${ivfflat} with (lists = 100, m = 16)` },
      { what: 'one that is misspelled', sql: `${hnsw} with (ef_constructions = 100)` },
    ],
    passes: [
      { what: 'those of hnsw', sql: `${hnsw} with (m = 16, ef_construction = 64)` },
      { what: 'that of ivfflat', sql: `${ivfflat} with (lists = 100)` },
      { what: 'an option of another method', sql: 'create index on documents (id) with (fillfactor = 70)' },
    ],
  },
  'function-dimensions': {
    finds: [
      { what: 'a parameter of another model', sql: [documents.replace('384', '1536'), matching('vector(384)')] },
      { what: 'a column that was there before', sql: matching('vector(1536)'), facts: having(true) },
      {
        what: 'a parameter that is used by its number',
        sql: matching('vector(1536)').replace('<=> query', '<=> $1'),
        facts: having(true),
      },
    ],
    passes: [
      { what: 'the dimensions of the column', sql: matching('vector(384)'), facts: having(true) },
      { what: 'a parameter without dimensions', sql: matching('vector'), facts: having(true) },
      { what: 'a column without dimensions', sql: matching('vector(384)'), facts: having(true, null) },
      { what: 'another table', sql: matching('vector(9)').replace('documents d', 'papers d'), facts: having(true) },
      { what: 'a function that compares nothing', sql: matching('vector(9)').replace('<=>', '='), facts: having(true) },
      {
        what: 'a part of each vector',
        sql: matching('vector(9)').replace('d.embedding', 'subvector(d.embedding, 1, 9)'),
        facts: having(true),
      },
      {
        what: 'one of two columns that it fits',
        sql: ['alter table documents add small vector(9)', matching('vector(9)').replace('d.id', 'd.id, d.small')],
        facts: having(true),
      },
    ],
  },
  'replaced-column': {
    finds: [
      { what: 'a column that is dropped and added again', sql: [dropColumn, addColumn], facts: having(true) },
      { what: 'both in one ALTER TABLE', sql: `${dropColumn}, add column embedding vector(768)`, facts: having(true) },
      { what: 'one of a table that nothing is known of', sql: [dropColumn, addColumn] },
    ],
    passes: [
      { what: 'another name', sql: [dropColumn, addColumn.replace('embedding', 'embedding_768')], facts: having(true) },
      { what: 'a table without rows', sql: [dropColumn, addColumn], facts: having(false) },
      { what: 'a table of this migration', sql: [documents, dropColumn, addColumn] },
      { what: 'a column of texts that becomes one of vectors', sql: [textDropped, textAdded], facts: having(true) },
      {
        what: 'a column that is backfilled before the old one goes',
        sql: [
          'alter table documents add e768 vector(768)',
          'update documents set e768 = embed(body)',
          dropColumn,
          'alter table documents rename e768 to embedding',
        ],
        facts: having(true),
      },
    ],
  },
  'lost-vectors': {
    finds: [
      { what: 'TRUNCATE', sql: 'truncate documents', facts: having(true) },
      { what: 'a column that is set to null', sql: 'update documents set embedding = null', facts: having(true) },
      {
        what: 'a column that is set to null in some rows',
        sql: 'update public.documents set body = 1, embedding = null where embedding is not null',
        facts: having(true),
      },
      { what: 'DELETE of every row', sql: 'delete from documents', facts: having(true) },
    ],
    passes: [
      { what: 'TRUNCATE of a table without vectors', sql: 'truncate logs', facts: having(true) },
      { what: 'a table that is empty', sql: 'truncate documents', facts: having(false) },
      { what: 'a table of this migration', sql: [documents, 'insert into documents select 1', 'truncate documents'] },
      { what: 'another column', sql: 'update documents set body = null', facts: having(true) },
      { what: 'other vectors', sql: "update documents set embedding = '[1]'", facts: having(true) },
      { what: 'rows by a condition', sql: 'delete from documents where id < 9', facts: having(true) },
      { what: 'rows by another table', sql: 'delete from documents using old', facts: having(true) },
    ],
  },
  'index-method': {
    finds: [
      { what: 'an index without a method', sql: 'create index on documents (embedding)', facts: having(false) },
      { what: 'a method of another kind', sql: [documents, 'create index on documents using hash (embedding)'] },
      { what: 'one column of several', sql: [documents, 'create index i on documents (id, embedding)'] },
    ],
    passes: [
      { what: 'an index of pgvector', sql: [documents, hnsw] },
      { what: 'another column', sql: [documents, 'create index on documents (id)'] },
      { what: 'a unique index', sql: [documents, 'create unique index on documents (embedding)'] },
      { what: 'an included column', sql: [documents, 'create index on documents (id) include (embedding)'] },
      { what: 'bits', sql: ['create table documents (bits bit(8))', 'create index on documents (bits)'] },
      { what: 'a table that nothing is known of', sql: [patient, 'create index on documents (embedding)'] },
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
      { what: 'a column without an index', sql: documents.replace('(384)', '') },
      { what: 'one that is added without an index', sql: 'alter table documents add e halfvec' },
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
      { what: 'bits', sql: 'create table documents (flags bit varying)' },
      {
        what: 'vectors of several models with an index each',
        sql: [
          documents.replace('(384)', ''),
          'create index on documents using hnsw ((embedding::vector(384)) vector_l2_ops) where id < 9',
        ],
      },
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
      {
        what: 'a table that is filled on the way before',
        sql: [documents, 'with n as (insert into documents select * from old returning 1) select * from n', ivfflat],
      },
      {
        what: 'a table that is merged into before',
        sql: [documents, 'merge into documents using old on false when not matched then insert values (1)', ivfflat],
      },
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
      { what: 'rows', sql: 'truncate documents cascade', facts: having(true) },
      {
        what: 'a constraint',
        sql: 'alter table documents drop constraint documents_pkey cascade',
        facts: having(true),
      },
      {
        what: 'an attribute of a type',
        sql: 'alter type public.document drop attribute e cascade',
        facts: having(true),
      },
      { what: 'what is searched by bits', sql: 'drop table t cascade', facts: onlyBits },
      {
        what: 'columns that the migration itself makes',
        sql: [documents, 'drop schema app cascade'],
        facts: { tables: [] },
      },
    ],
    passes: [
      { what: 'RESTRICT', sql: 'drop table documents' },
      { what: 'an index', sql: 'drop index documents_idx cascade' },
      { what: 'rows of this table alone', sql: 'truncate documents', facts: having(true) },
      { what: 'a constraint of a domain', sql: 'alter domain d drop constraint c cascade', facts: having(true) },
      { what: 'rights', sql: 'revoke select on documents from app cascade', facts: having(true) },
      { what: 'a type that gets more', sql: 'alter type t add attribute a int cascade', facts: having(true) },
      { what: 'rows that go with others', sql: 'create table n (d int references d on delete cascade)' },
      {
        what: 'a database whose bits nobody searches by',
        sql: 'drop table t cascade',
        facts: { tables: onlyBits.tables?.map((table) => ({ ...table, indexes: [] })) },
      },
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
      { what: 'bits that are searched', sql: 'alter table documents alter bits type bit(768)', facts: havingIndex() },
      {
        what: 'bits that nothing is known of',
        sql: 'alter table documents alter bits type bit(768) using embed(body)',
      },
      {
        what: 'bits that are searched, under a new name',
        sql: ['alter table documents rename bits to b', 'alter table documents alter b type text'],
        facts: havingIndex(),
      },
      ...(['vector', 'halfvec', 'sparsevec', 'bit'] as const).map((type) => ({
        what: `other dimensions of ${type}`,
        sql: `alter table documents alter e type ${type}(5)`,
        facts: havingIndex({
          columns: [{ name: 'e', type: { type, dimensions: 4 } }],
          indexes: [{ name: 'e_idx', column: 'e' }],
        }),
      })),
      {
        what: 'other values of the same type',
        sql: 'alter table documents alter embedding type vector(384) using l2_normalize(embedding)::vector(384)',
        facts: having(true),
      },
    ],
    passes: [
      {
        what: 'a column that is only cast to what it is',
        sql: 'alter table documents alter embedding type vector(384) using embedding::vector(384)',
        facts: having(true),
      },
      { what: 'bits that nobody searches by', sql: 'alter table documents alter f type bit(2)', facts: havingIndex() },
      { what: 'bits of any length', sql: 'alter table documents alter bits type bit varying', facts: havingIndex() },
      {
        what: 'a table that is emptied before',
        sql: ['truncate documents', 'alter table documents alter embedding type vector(768)'],
        facts: having(true),
      },
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
      {
        what: 'an index that the migration itself makes of a table that others use',
        sql: ['create index concurrently i on documents (id)', 'drop index i'],
        transactional: false,
      },
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
      {
        what: 'a local limit that was sent together with something else',
        sql: [`${patient}; select 1`, 'drop table documents'],
        transactional: false,
      },
      {
        what: 'a local limit behind the transaction that it was for',
        sql: `${patient}; begin; commit; drop table documents`,
        transactional: false,
      },
    ],
    passes: [
      { what: 'a limit', sql: [patient, 'alter table documents add title text'] },
      {
        what: 'a local limit that is sent together with it outside a transaction',
        sql: `${patient}; drop table documents`,
        transactional: false,
      },
      {
        what: 'a local limit in front of the transaction in the same string',
        sql: `${patient}; begin; drop table documents; commit`,
        transactional: false,
      },
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
          'alter table documents rename to papers',
          'alter index i rename to j',
          'drop index j',
          'alter table papers rename to documents',
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

describeEmbedded('an index on vectors that is neither hnsw nor ivfflat', (database) => {
  test('refuses vectors from some 670 dimensions on, as docs/lint.md says', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw('create table documents (embedding vector); create index on documents (embedding)')
    const add = async (dimensions: number): Promise<unknown> =>
      knex.raw(`insert into documents select array_agg(random()) from generate_series(1, ${dimensions})`)
    await add(660)
    await expect(add(680)).rejects.toThrow(/index row size \d+ exceeds btree version 4 maximum 2704/)
  })
})

describe('ALTER TYPE', () => {
  const messageOf = async (sql: string): Promise<string | undefined> =>
    (await lint(sql, having(true))).findings.find(({ rule }) => rule === 'change-type')?.message

  test('is reported to fail with other dimensions, and otherwise to rewrite the table', async () => {
    expect(await messageOf('alter table documents alter embedding type vector(768)')).toBe(
      'ALTER TYPE of documents.embedding fails if the table has rows: a value of 384 dimensions does not fit into 768',
    )
    expect(await messageOf('alter table documents alter embedding type halfvec(384)')).toContain('rewrites the table')
    const shortened = 'alter table documents alter embedding type vector(8) using subvector(embedding, 1, 8)::vector(8)'
    expect(await messageOf(shortened)).toContain('rewrites the table')
  })
})

describe('CASCADE', () => {
  const table = having(true)

  // Every kind that PostgreSQL's parser takes it of.
  test.each([
    ['access method hnsw', 'ACCESS METHOD hnsw'],
    ['aggregate app.a(int)', 'AGGREGATE app.a'],
    ['cast (text as app.embedding)', 'CAST app.embedding'],
    ['collation app.german', 'COLLATION app.german'],
    ['domain app.d, e', 'DOMAIN app.d, e'],
    ['extension pg_trgm', 'EXTENSION pg_trgm'],
    ['foreign data wrapper f', 'FOREIGN DATA WRAPPER f'],
    ['foreign table app.f', 'FOREIGN TABLE app.f'],
    ['function app.embed(text)', 'FUNCTION app.embed'],
    ['language plpgsql', 'LANGUAGE plpgsql'],
    ['materialized view "My View"', 'MATERIALIZED VIEW My View'],
    ['operator app.<=> (app.v, app.v)', 'OPERATOR app.<=>'],
    ['operator class app.my_ops using hnsw', 'OPERATOR CLASS app.my_ops'],
    ['operator family my_ops using hnsw', 'OPERATOR FAMILY my_ops'],
    ['owned by app, current_user', 'OWNED BY app, current_user'],
    ['procedure p', 'PROCEDURE p'],
    ['routine if exists p', 'ROUTINE p'],
    ['schema if exists app, "Other"', 'SCHEMA app, Other'],
    ['sequence s', 'SEQUENCE s'],
    ['server s', 'SERVER s'],
    ['table app.documents', 'TABLE app.documents'],
    ['text search configuration c', 'TEXT SEARCH CONFIGURATION c'],
    ['text search dictionary d', 'TEXT SEARCH DICTIONARY d'],
    ['text search parser p', 'TEXT SEARCH PARSER p'],
    ['text search template t', 'TEXT SEARCH TEMPLATE t'],
    ['transform for app.v language plpgsql', 'TRANSFORM app.v'],
    ['type app.embedding', 'TYPE app.embedding'],
    ['view v', 'VIEW v'],
  ])('is a finding with drop %s', async (dropped, shown) => {
    const { findings, unread } = await lint(`drop ${dropped} cascade`, table)
    expect(findings.filter(({ rule }) => rule === 'cascade').map(({ message }) => message)).toEqual([
      expect.stringMatching(new RegExp(`^DROP ${shown.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&')} CASCADE `)),
    ])
    expect(unread).toEqual([])
    expect(await found(`drop ${dropped} restrict`, table)).not.toContain('cascade')
  })

  test.each([
    'conversion c',
    'event trigger e',
    'index i',
    'policy p on documents',
    'publication p',
    'rule r on documents',
    'statistics s',
    'subscription s',
    'trigger t on documents',
  ])('is none with drop %s, on which no column depends', async (dropped) => {
    expect((await lint(`drop ${dropped} cascade`, table)).unread).toEqual([])
    expect(await found(`drop ${dropped} cascade`, table)).not.toContain('cascade')
  })
})

describe('the advice about a lock_timeout', () => {
  const drop = 'drop table documents'

  test.each([
    [
      'the transaction of the migration',
      [drop],
      true,
      /: await knex\.raw\("set local lock_timeout = '2s'"\) before it\.$/,
    ],
    ['no transaction', [drop], false, /: send it in a transaction, await knex\.transaction\(.*trx\.raw\("set local /],
    ['what is sent together', [`select 1; ${drop}`], false, /: set local .* in its transaction, .* in the same string/],
    ['a transaction of its own', ['begin', drop, 'commit'], false, /: set local .* in its transaction, with trx\.raw/],
  ])('is one that works in %s', async (_what, sql, transactional, advice) => {
    const { findings } = await lint(sql, {}, transactional)
    expect(findings.map(({ next }) => next)).toEqual([expect.stringMatching(advice)])
  })
})

describe('a wait for a lock', () => {
  const waits = async (...migrations: readonly (readonly string[])[]): Promise<(readonly [string, string])[]> => {
    const given = migrations.map((sql, place) => ({
      name: `00${place + 1}`,
      transactional: true,
      statements: sql.map((each) => ({ sql: each })),
    }))
    const { findings } = await lintMigrations(given, havingIndex())
    return findings
      .filter(({ rule }) => rule === 'lock-timeout')
      .map(({ migration, statement }) => [migration, statement])
  }
  const add = (column: string, table = 'documents'): string => `alter table ${table} add ${column} text`

  test('is reported once per migration and table, whatever the table or its index is called', async () => {
    const first = [add('a'), add('b', 'public.documents'), 'drop index documents_idx', add('c', 'papers'), add('d')]
    expect(await waits(first, [add('e'), add('f')])).toEqual([
      ['001', add('a')],
      ['001', add('c', 'papers')],
      ['002', add('e')],
    ])
    expect(await waits(['alter table documents rename to texts', add('a', 'texts')])).toEqual([
      ['001', 'alter table documents rename to texts'],
    ])
  })

  test('is none for a table that an earlier migration of the run creates', async () => {
    const later = ['alter table notes rename to remarks', 'create index i on remarks (id)', 'drop index i']
    expect(await waits(['create table notes (id int)'], later, [add('a', 'remarks')])).toEqual([])
    expect(await waits(['create table if not exists documents (id int)'], [add('a')])).toEqual([['002', add('a')]])
  })

  test('that a comment allows is not the one that is reported', async () => {
    const allowed = `-- knex-pgvector: allow lock-timeout: at night\n${add('a')}`
    expect(await waits([allowed, add('b')])).toEqual([['001', add('b')]])
  })
})

describe('docs/lint.md', () => {
  const headings = [...readFileSync(join(__dirname, '../docs/lint.md'), 'utf8').matchAll(/^## (.+)$/gm)]

  test('has a heading for every rule and for no other, after how to allow them', () => {
    expect(headings.map(([, heading]) => heading)).toEqual(['Allow a finding', ...all])
  })
})

describe('a table of an earlier migration', () => {
  const transactional = true
  const earlier = { name: '001', transactional, statements: [{ sql: documents }] }

  test('may have rows by the time that its index is built', async () => {
    const later = { name: '002', transactional, statements: [{ sql: hnsw }] }
    const { findings } = await lintMigrations([earlier, later], { tables: [] })
    expect(findings.map(({ migration, rule }) => [migration, rule])).toEqual([['002', 'blocking-index']])
  })

  test('is known with its columns, and a limit of that migration has ended', async () => {
    const migrations = [
      { ...earlier, statements: [{ sql: documents.replace('(384)', '') }, { sql: `set local lock_timeout = '1s'` }] },
      { name: '002', transactional, statements: [{ sql: hnsw }] },
    ]
    const { findings } = await lintMigrations(migrations, { tables: [] })
    expect(findings.map(({ rule }) => rule)).toEqual(['blocking-index', 'unsized-column'])
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
    const here = { migration: '001', file: null, line: null }
    expect(unread).toEqual([
      { ...here, statement: 'selec 1', reason: 'syntax error at or near "selec"' },
      { ...here, statement: 'do $$ begin drop table a; end $$', reason: expect.stringContaining('DO block') },
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
          expect(findings.every(({ rule }) => all.includes(rule)) && unread.length >= 0).toBe(true)
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
        const library = await import('../src/lint.ts')
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
