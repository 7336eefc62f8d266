import { InvalidArgumentError } from 'commander'

import { millisecondsOf } from '../../core/durations.ts'

/** Reads a time with its unit. A bare number could be read as milliseconds or as seconds. */
export const milliseconds = (text: string): number => {
  const parsed = millisecondsOf(text)
  if (parsed === null)
    throw new InvalidArgumentError(`must be a time with its unit, like 500ms, 60s or 5m, not ${text}`)
  return parsed
}

/** Reads a whole number that is not below the smallest. */
export const numberFrom =
  (smallest: number) =>
  (text: string): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= smallest) return Number(text)
    throw new InvalidArgumentError(`must be a whole number from ${smallest}, not ${text}`)
  }

/** Reads a number between 0 and 1. */
export const share = (text: string): number => {
  const parsed = /^(?:0?\.\d{1,9})$/.test(text) ? Number(text) : 0
  if (parsed > 0) return parsed
  throw new InvalidArgumentError(`must be a number above 0 and below 1, like 0.95, not ${text}`)
}
