import { sqlStateOf } from '../src/core/errors.ts'
import { typeLimits } from '../src/pgvector/vector-types.ts'
import { isAtLeast } from '../src/pgvector/version.ts'
import { ensurePgvector, type IndexMethod, type Metric, type VectorType } from '../src/index.ts'
import { indexLimit, metrics, operatorClass, operatorClasses } from '../src/pgvector/index-methods.ts'
import { describeOnEveryDatabase } from './support/databases.ts'

const types = Object.keys(typeLimits) as readonly VectorType[]
const methods = ['hnsw', 'ivfflat'] as const satisfies readonly IndexMethod[]
const everyMetric = Object.keys(metrics) as readonly Metric[]

const limited = types.flatMap((type) =>
  methods.flatMap((method) => {
    const limit = indexLimit(type, method)
    const [name] = everyMetric.flatMap((metric) => operatorClass(type, method, metric)?.name ?? [])
    return limit === null || name === undefined ? [] : [{ type, method, limit, name }]
  }),
)

describeOnEveryDatabase('the table of operator classes', (database) => {
  test('is that of the server, with the operator of each, and leaves none out', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, { logger: false })
    const { rows } = await knex.raw<{ rows: readonly Row[] }>(operatorClassesSql)
    const told = types.flatMap((type) =>
      methods.flatMap((method) =>
        everyMetric.flatMap((metric) => {
          const found = operatorClass(type, method, metric)
          if (found === null || !isAtLeast(pgvector, found.since)) return []
          return [{ method, type, name: found.name, operator: metrics[metric].operator }]
        }),
      ),
    )
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.map(lineOf).toSorted()).toEqual(told.map(lineOf).toSorted())
  })

  test('has every operator that measures a distance', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const { rows } = await knex.raw<{ rows: readonly { name: string }[] }>(distanceOperatorsSql)
    expect(rows.map(({ name }) => name).toSorted()).toEqual(
      Object.values(metrics)
        .map(({ operator }) => operator)
        .toSorted(),
    )
  })

  test('has the limits of the server: an index of so many dimensions is made, and of one more refused', async () => {
    await ensurePgvector(database().knex, { logger: false })
    for (const { type, method, name, limit } of limited) {
      const made = { at: await refusal(indexOf(type, limit, method, name)) }
      const refused = { beyond: await refusal(indexOf(type, limit + 1, method, name)) }
      expect({ type, method, ...made, ...refused }).toEqual({ type, method, at: null, beyond: '54000' })
    }
  })

  test('sets no limit for the dimensions of sparsevec, and the server limits only what is not zero', async () => {
    await ensurePgvector(database().knex, { logger: false })
    expect(indexLimit('sparsevec', 'hnsw')).toBeNull()
    const most = indexOf('sparsevec', typeLimits.sparsevec.column, 'hnsw', 'sparsevec_l2_ops')
    const filled = (count: number): string =>
      `${most}; insert into t select format('{%s}/1000000000', string_agg(i || ':1', ','))::sparsevec
      from generate_series(1, ${count}) i`
    expect(await refusal(filled(1000))).toBeNull()
    expect(await refusal(filled(1001))).toBe('54000')
  })

  test.each(types.filter((type) => !('ivfflat' in operatorClasses[type])))(
    'knows that ivfflat takes no %s at all',
    async (type) => {
      await ensurePgvector(database().knex, { logger: false })
      expect(await refusal(indexOf(type, 3, 'ivfflat', `${type}_l2_ops`))).toBe('42704')
    },
  )

  /** Why the server refuses statements, as an SQLSTATE; null where it takes them. */
  async function refusal(statements: string): Promise<string | null> {
    const trx = await database().knex.transaction()
    try {
      await trx.raw(statements)
      return null
    } catch (error) {
      return sqlStateOf(error) ?? String(error)
    } finally {
      await trx.rollback()
    }
  }
})

describe('operatorClass', () => {
  test('is null for what pgvector does not have', () => {
    expect(operatorClass('sparsevec', 'ivfflat', 'l2')).toBeNull()
    expect(operatorClass('vector', 'ivfflat', 'l1')).toBeNull()
    expect(operatorClass('bit', 'ivfflat', 'jaccard')).toBeNull()
    expect(operatorClass('vector', 'hnsw', 'hamming')).toBeNull()
  })

  test('names the release that introduced it', () => {
    expect(operatorClass('vector', 'hnsw', 'cosine')).toEqual({ name: 'vector_cosine_ops', since: '0.5.0' })
    expect(operatorClass('vector', 'hnsw', 'l1')).toEqual({ name: 'vector_l1_ops', since: '0.7.0' })
  })
})

interface Row {
  readonly method: string
  readonly type: string
  readonly name: string
  readonly operator: string
}

function lineOf({ method, type, name, operator }: Row): string {
  return `${method} ${type} ${name} ${operator}`
}

function indexOf(type: VectorType, dimensions: number, method: IndexMethod, name: string): string {
  return `create table t (e ${type}(${dimensions})); create index on t using ${method} (e ${name})`
}

const operatorClassesSql = `
  select m.amname as method, t.typname as type, c.opcname as name, o.oprname as operator
  from pg_opclass c
  join pg_am m on m.oid = c.opcmethod
  join pg_type t on t.oid = c.opcintype
  left join pg_amop a on a.amopfamily = c.opcfamily and a.amopmethod = m.oid and a.amoppurpose = 'o'
    and a.amoplefttype = c.opcintype and a.amoprighttype = c.opcintype
  left join pg_operator o on o.oid = a.amopopr
  where m.amname in ('hnsw', 'ivfflat')`

const distanceOperatorsSql = `
  select distinct o.oprname as name
  from pg_operator o
  join pg_depend d on d.classid = 'pg_operator'::regclass and d.objid = o.oid and d.deptype = 'e'
  join pg_extension x on x.oid = d.refobjid and x.extname = 'vector'
  where o.oprresult = 'float8'::regtype`
