import type { Rule } from '../rule.ts'

/** The extension belongs to the whole database. Other code may use it by now, or may have enabled it before. */
export const dropExtension: Rule = ({ statement: { drops } }) => {
  const isDropped = drops.some(({ what, names }) => what === 'extension' && names.some(({ name }) => name === 'vector'))
  if (!isDropped) return []
  return [
    {
      message: 'DROP EXTENSION vector is for the whole database: whoever else uses it there loses it',
      next: 'Use dropPgvector(knex), which leaves what is in use and what was there before.',
    },
  ]
}
