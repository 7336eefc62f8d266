import { toBinary } from 'knex-pgvector'

// The vectors are red, green and blue. A real application keeps them in a table that its migrations made.
const colours = [
  ['black', '[0,0,0]'],
  ['white', '[255,255,255]'],
  ['red', '[255,0,0]'],
  ['green', '[0,128,0]'],
  ['blue', '[0,0,255]'],
  ['orange', '[255,165,0]'],
]

/** The colour nearest to one like '#ff8800'. */
export async function nearestColour(knex, like) {
  if (!/^#[0-9a-f]{6}$/i.test(like ?? '')) throw Object.assign(new Error('like must be #rrggbb'), { status: 400 })
  const vector = [1, 3, 5].map((start) => Number.parseInt(like.slice(start, start + 2), 16))
  const { rows } = await knex.raw(
    `select name, embedding::vector <-> ? as distance
     from (values ${colours.map(() => '(?, ?)').join(', ')}) as colours (name, embedding)
     order by distance
     limit 1`,
    [toBinary('vector', vector), ...colours.flat()],
  )
  return rows[0]
}
