import { types } from 'node:util'

import { ownCodec, type Codec } from './codec.ts'

// PostgreSQL counts from the beginning of 2000, and keeps the two ends of the range for infinity.
const EPOCH = Date.UTC(2000, 0, 1)
const DAY = 86_400_000
const LATEST = 2n ** 63n - 1n
const EARLIEST = -(2n ** 63n)
const LAST_DAY = 2 ** 31 - 1
const FIRST_DAY = -(2 ** 31)

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?)?$/

function isValidDate(value: unknown): value is Date {
  return types.isDate(value) && !Number.isNaN(value.getTime())
}

/** The milliseconds of a date and time of day in UTC; null if the calendar has no such day. */
function utc(fields: readonly (string | undefined)[]): number | null {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = fields.map(Number)
  const at = new Date(0)
  at.setUTCFullYear(year, month - 1, day)
  at.setUTCHours(hour, minute, second)
  const isReal = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  return isReal ? at.getTime() : null
}

/** The same time of day, as if the local time zone were UTC. */
function localAsUtc(date: Date): number {
  const at = new Date(0)
  at.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate())
  return at.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds())
}

function utcAsLocal(milliseconds: number): Date {
  const at = new Date(milliseconds)
  const local = new Date(0)
  local.setFullYear(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate())
  local.setHours(at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds(), at.getUTCMilliseconds())
  return local
}

function microseconds(milliseconds: number, fraction = 0): bigint {
  return BigInt(milliseconds - EPOCH) * 1000n + BigInt(fraction)
}

/** The microseconds that a text means; null if it is no timestamp of that kind. */
function microsecondsIn(text: string, hasZone: boolean): bigint | null {
  const [, year, month, day, hour, minute, second, fraction = '', zone] = TIMESTAMP.exec(text) ?? []
  if (year === undefined || hasZone !== (zone !== undefined)) return null
  const at = utc([year, month, day, hour, minute, second])
  return at === null ? null : microseconds(at - offsetOf(zone), Number(fraction.padEnd(6, '0')))
}

function offsetOf(zone = 'Z'): number {
  if (zone === 'Z') return 0
  const [hours = '0', minutes = '0'] = zone.slice(1).match(/\d\d/g) ?? []
  return (zone.startsWith('-') ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

function timestamp(hasZone: boolean): Pick<Codec, 'write' | 'read'> {
  const form = `a Date, or text like 2026-01-31T12:00:00.123456${hasZone ? 'Z' : ''}`
  const valueOf = (value: unknown): bigint | null => {
    if (isValidDate(value)) return microseconds(hasZone ? value.getTime() : localAsUtc(value))
    if (value === Infinity) return LATEST
    if (value === -Infinity) return EARLIEST
    return typeof value === 'string' ? microsecondsIn(value, hasZone) : null
  }
  return {
    write: (value, to) => {
      const at = valueOf(value)
      if (at === null) return `must be ${form}`
      to.int64(at)
      return null
    },
    read: (bytes) => {
      const at = bytes.readBigInt64BE()
      if (at === LATEST) return Infinity
      if (at === EARLIEST) return -Infinity
      const milliseconds = Number(at / 1000n) + EPOCH
      return hasZone ? new Date(milliseconds) : utcAsLocal(milliseconds)
    },
  }
}

function dayOf(value: unknown): number | null {
  if (value === Infinity) return LAST_DAY
  if (value === -Infinity) return FIRST_DAY
  if (isValidDate(value)) return Math.floor((localAsUtc(value) - EPOCH) / DAY)
  const [, ...fields] = typeof value === 'string' ? (DATE.exec(value) ?? []) : []
  const at = fields.length === 0 ? null : utc(fields)
  return at === null ? null : (at - EPOCH) / DAY
}

/** Times and days. A Date means what it means to node-postgres: without a time zone, the local time. */
export const timeCodecs: readonly Codec[] = [
  ownCodec('timestamp', 1114, { ...timestamp(false), send: 'timestamp_send' }),
  ownCodec('timestamptz', 1184, { ...timestamp(true), send: 'timestamptz_send' }),
  ownCodec('date', 1082, {
    write: (value, to) => {
      const day = dayOf(value)
      if (day === null) return 'must be a Date, or text like 2026-01-31'
      to.int32(day)
      return null
    },
    read: (bytes) => {
      const day = bytes.readInt32BE()
      if (day === LAST_DAY) return Infinity
      return day === FIRST_DAY ? -Infinity : utcAsLocal(EPOCH + day * DAY)
    },
    send: 'date_send',
  }),
]
