import type { Rule } from '../rule.ts'

/** The extension belongs to the whole database. Other code may use it by now, or may have enabled it before. */
export const dropExtension: Rule = ({ statement: { drops } }) => {
  const isDropped = drops.some(({ what, names }) => what === 'extension' && names.some(({ name }) => name === 'vector'))
  if (!isDropped) return []
  return [
    {
      message: 'DROP EXTENSION vector affects the whole database: everything else that uses pgvector there breaks',
      next: 'Use dropPgvector(knex), which keeps the extension if it is in use or existed before.',
    },
  ]
}
