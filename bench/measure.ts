/** Something that can be timed. */
export interface Contender {
  /** Brings the database to where `run` begins; not timed. */
  readonly prepare?: () => Promise<unknown>
  readonly run: () => Promise<unknown>
  /** Takes away what `prepare` and `run` made; not timed. */
  readonly cleanUp?: () => Promise<unknown>
}

/** How often; the rounds of the warm-up do not count. */
export interface Rounds {
  readonly warmUp: number
  readonly counted: number
}

/**
 * What each contender took in each round, in milliseconds.
 *
 * Every round runs all of them in an order of its own, so that what disturbs the machine disturbs them alike.
 */
export async function measure<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  { warmUp, counted }: Rounds,
): Promise<Record<Name, readonly number[]>> {
  const names = Object.keys(contenders) as Name[]
  const times = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let round = -warmUp; round < counted; round++) {
    for (const name of shuffled(names)) {
      const time = await timed(contenders[name])
      if (round >= 0) times.get(name)?.push(time)
    }
  }
  return Object.fromEntries(times) as unknown as Record<Name, readonly number[]>
}

async function timed({ prepare, run, cleanUp }: Contender): Promise<number> {
  await prepare?.()
  const started = performance.now()
  await run()
  const time = performance.now() - started
  await cleanUp?.()
  return time
}

/** The middle one. */
export function median(times: readonly number[]): number {
  return times.toSorted((left, right) => left - right)[Math.floor(times.length / 2)] ?? Number.NaN
}

function shuffled<Value>(values: readonly Value[]): Value[] {
  return values
    .map((value) => ({ value, rank: Math.random() }))
    .toSorted((left, right) => left.rank - right.rank)
    .map(({ value }) => value)
}
