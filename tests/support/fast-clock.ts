import { clock } from '../../src/model-change/clock.ts'

/** Returns what lets time pass for searches that remember the registry, in milliseconds, until mocks are restored. */
export function fastClock(): (milliseconds: number) => void {
  let passed = 0
  jest.spyOn(clock, 'now').mockImplementation(() => performance.now() + passed)
  return (milliseconds) => {
    passed += milliseconds
  }
}

/** Lets the steps of a change of model watch a column for no time, until mocks are restored. */
export function skipPauses(): void {
  jest.spyOn(clock, 'sleep').mockResolvedValue()
}
