import type * as Zod from 'zod'

import { durationOption, isMilliseconds, positiveDurationOption } from './durations.ts'
import { PgvectorMigrationError } from './errors.ts'
import { logOptions, nameOption, type LogOptions } from './options.ts'
import { lazySchema, parseOptions, type LazySchema } from './parse-options.ts'

/**
 * The kind of an option. Most values need no parsing, so a short command does not load zod for `{ wait: 60_000 }`. A
 * value that is not obviously valid goes to the schema.
 */
export interface OptionKind<Value, IsRequired extends boolean = boolean> {
  readonly isPlain: (value: unknown) => boolean
  readonly schema: LazySchema<Zod.ZodType<Value>>
  readonly isRequired: IsRequired
  /** The options that cannot be combined with this one. */
  readonly conflictsWith?: readonly string[]
}

type AnyKinds = Readonly<Record<string, OptionKind<unknown>>>

type ParsedKinds<Kinds extends AnyKinds> = {
  readonly [Name in keyof Kinds as Kinds[Name]['isRequired'] extends true ? Name : never]: ValueOf<Kinds[Name]>
} & {
  readonly [Name in keyof Kinds as Kinds[Name]['isRequired'] extends true ? never : Name]?:
    | ValueOf<Kinds[Name]>
    | undefined
}

type ValueOf<Kind> = Kind extends OptionKind<infer Value> ? Value : never

/**
 * Creates the parser of a function's options. The parser accepts the options named here and rejects all others.
 *
 * @example const parse = optionsParser({ force: flagKind })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, from the parser.
 */
export function optionsParser<const Kinds extends AnyKinds>(kinds: Kinds): (options?: unknown) => ParsedKinds<Kinds> {
  const schema = lazySchema((z) =>
    z.strictObject(
      Object.fromEntries(
        Object.entries(kinds).map(([name, kind]) => [name, kind.isRequired ? kind.schema() : kind.schema().optional()]),
      ),
    ),
  )
  return (options = {}) => {
    const parsed = (areAllPlain(options, kinds) ? options : parseOptions(schema, options)) as ParsedKinds<Kinds>
    assertCompatible(parsed, kinds)
    return parsed
  }
}

function assertCompatible(parsed: Readonly<Record<string, unknown>>, kinds: AnyKinds): void {
  const problems = Object.entries(kinds)
    .filter(([name]) => isGiven(parsed[name]))
    .flatMap(([name, { conflictsWith = [] }]) =>
      conflictsWith
        .filter((other) => isGiven(parsed[other]))
        .map((other) => `${name}: cannot be combined with ${other}`),
    )
  if (problems.length > 0) throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
}

// An empty list counts as not given.
function isGiven(value: unknown): boolean {
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

function areAllPlain(options: unknown, kinds: AnyKinds): boolean {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return false
  const given = options as Readonly<Record<string, unknown>>
  return (
    Object.entries(kinds).every(([name, { isRequired }]) => !isRequired || given[name] !== undefined) &&
    Object.entries(given).every(
      ([name, value]) => Object.hasOwn(kinds, name) && (value === undefined || kinds[name]?.isPlain(value) === true),
    )
  )
}

/** Returns the same kind for a required option. */
export function required<Value>(kind: OptionKind<Value>): OptionKind<Value, true> {
  return { ...kind, isRequired: true }
}

/** Returns the same kind for an option that excludes others. */
export function excluding<Value>(kind: OptionKind<Value, false>, names: readonly string[]): OptionKind<Value, false> {
  return { ...kind, conflictsWith: names }
}

export const textKind: OptionKind<string, false> = {
  isPlain: isText,
  schema: lazySchema((z) => z.string('must be a text').min(1, 'must not be empty')),
  isRequired: false,
}

export const textsKind: OptionKind<readonly string[], false> = {
  isPlain: areTexts,
  schema: lazySchema((z) => z.array(textKind.schema(), 'must be a list')),
  isRequired: false,
}

export const textOrTextsKind: OptionKind<string | readonly string[], false> = {
  isPlain: (value) => isText(value) || areTexts(value),
  schema: lazySchema((z) =>
    z.union([textKind.schema(), z.array(textKind.schema()).min(1)], 'must be a text or a list of texts'),
  ),
  isRequired: false,
}

export const flagKind: OptionKind<boolean, false> = {
  isPlain: (value) => typeof value === 'boolean',
  schema: lazySchema((z) => z.boolean('must be true or false')),
  isRequired: false,
}

export const countKind: OptionKind<number, false> = {
  isPlain: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  schema: lazySchema((z) => z.int('must be a whole number').min(1, 'must be at least 1')),
  isRequired: false,
}

export const wholeNumberKind: OptionKind<number, false> = {
  isPlain: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  schema: lazySchema((z) => z.int('must be a whole number').min(0, 'must not be negative')),
  isRequired: false,
}

/** A name of PostgreSQL. */
export const nameKind: OptionKind<string, false> = {
  isPlain: () => false,
  schema: nameOption,
  isRequired: false,
}

/** A duration, parsed to milliseconds. */
export const durationKind: OptionKind<number, false> = {
  isPlain: isMilliseconds,
  schema: durationOption,
  isRequired: false,
}

/** A duration that must be positive, because to PostgreSQL 0 means no limit. */
export const positiveDurationKind: OptionKind<number, false> = {
  isPlain: (value) => value !== 0 && isMilliseconds(value),
  schema: positiveDurationOption,
  isRequired: false,
}

export const signalKind: OptionKind<AbortSignal, false> = {
  isPlain: (value) => value instanceof AbortSignal,
  schema: lazySchema((z) => z.instanceof(AbortSignal, { message: 'must be an AbortSignal' })),
  isRequired: false,
}

export const logKind: OptionKind<LogOptions, false> = {
  isPlain: () => false,
  schema: logOptions,
  isRequired: false,
}

export function choiceKind<const Choice extends string>(choices: readonly Choice[]): OptionKind<Choice, false> {
  return {
    isPlain: (value) => choices.some((choice) => choice === value),
    schema: lazySchema((z) => z.enum(choices, `must be ${choices.join(' or ')}`)),
    isRequired: false,
  }
}

export function functionKind<Callback>(): OptionKind<Callback, false> {
  return {
    isPlain: isFunction,
    schema: lazySchema((z) => z.custom<Callback>(isFunction, 'must be a function')),
    isRequired: false,
  }
}

/** A value of another library's type, checked only by `is`. */
export function valueKind<Value>(is: (value: unknown) => boolean, problem: string): OptionKind<Value, false> {
  return { isPlain: is, schema: lazySchema((z) => z.custom<Value>(is, problem)), isRequired: false }
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isText)
}
