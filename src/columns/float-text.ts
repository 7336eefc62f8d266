const MOST_DIGITS = 9

/** The shortest text of a number that its type rounds to the same number. */
export function shortestText(value: number, round: (value: number) => number): string {
  if (Object.is(value, -0)) return '-0'
  for (let digits = 1; digits < MOST_DIGITS; digits++) {
    const near = Number(value.toPrecision(digits))
    if (round(near) === value) return String(near)
  }
  return String(Number(value.toPrecision(MOST_DIGITS)))
}
