/**
 * The name that was probably meant; undefined where none is near.
 *
 * @example nearName('onyl', ['to', 'only', 'skip']) // 'only'
 */
export function nearName(given: string, names: readonly string[]): string | undefined {
  // What is this long was not mistyped, and the distance takes time in proportion to both lengths.
  if (given.length > LONGEST) return undefined
  const [nearest] = names
    .map((name) => ({ name, distance: distanceOf(plain(given), plain(name)) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .toSorted((left, right) => left.distance - right.distance)
  return nearest?.name
}

const LONGEST = 50

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

/** How many letters are to be added, removed, replaced or swapped with the next one. */
function distanceOf(left: string, right: string): number {
  let before: readonly number[] = []
  let above: readonly number[] = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1]
      const isSwapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      const swapped = isSwapped ? (before[column - 2] ?? Infinity) + 1 : Infinity
      const replaced = (above[column - 1] ?? Infinity) + (isSame ? 0 : 1)
      current.push(Math.min((above[column] ?? Infinity) + 1, (current[column - 1] ?? Infinity) + 1, replaced, swapped))
    }
    before = above
    above = current
  }
  return above[right.length] ?? Infinity
}
