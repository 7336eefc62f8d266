import { indexMethods, indexParameters, type IndexMethod } from '../../pgvector/index-methods.ts'
import { shownIndex, type Rule } from '../rule.ts'

/** hnsw and ivfflat have different parameters, and PostgreSQL refuses one that the method does not have. */
export const indexOption: Rule = ({ statement }) => {
  const { index } = statement
  if (index === null) return []
  const own = parametersOf(index.method)
  const wrong = index.parameters.filter((name) => !own.includes(name))
  if (wrong.length === 0) return []
  const owner = indexMethods.find((method) => wrong.every((name) => parametersOf(method).includes(name)))
  return [
    {
      message: `${shownIndex(statement)} sets ${wrong.join(', ')}, which ${index.method} does not have`,
      next:
        owner === undefined
          ? `Use the parameters of ${index.method}: ${own.join(', ')}.`
          : `Use the parameters of ${index.method} (${own.join(', ')}), or the method ${owner}.`,
    },
  ]
}

function parametersOf(method: IndexMethod): readonly string[] {
  return indexParameters[method]
}
