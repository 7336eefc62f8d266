import { memoryText, sizeText } from '../../core/sizes.ts'
import { secondsText } from '../../core/time-text.ts'
import type { BuildForecast } from '../../indexes/forecast/forecast-build.ts'
import type { TimeRange } from '../../indexes/forecast/build-time.ts'
import { yellow } from './colour.ts'
import { table } from './table.ts'

/** Forecasts as a table, with what each time is based on and what to do about a build that needs too much. */
export function describeForecasts(forecasts: readonly BuildForecast[]): string[] {
  if (forecasts.length === 0) return ['No index is built on a table that exists']
  const head = ['index', 'rows', 'time', 'size', 'WAL', 'memory', 'workers']
  const rows = forecasts.map((forecast) => [
    forecast.index,
    forecast.rows.toLocaleString('en'),
    timeText(forecast.seconds),
    sizeText(forecast.bytes),
    sizeText(forecast.walBytes),
    memoryOf(forecast),
    String(forecast.settings.workers),
  ])
  const notes = forecasts.flatMap(({ index, basis, warnings }) => [
    `${index}: ${basis}`,
    ...warnings.map((warning) => yellow(`⚠ ${warning}`)),
  ])
  return [...table(head, rows), '', ...notes]
}

/** A forecast in one line. */
export function forecastLine(forecast: BuildForecast): string {
  const { index, rows, seconds, bytes, walBytes } = forecast
  const parts = [
    `${rows.toLocaleString('en')} rows`,
    seconds === null ? 'unknown time' : timeText(seconds),
    sizeText(bytes),
    `${sizeText(walBytes)} of WAL`,
    `${memoryOf(forecast)} of memory`,
  ]
  return `${index}: ${parts.join(', ')}`
}

function timeText(seconds: TimeRange | null): string {
  if (seconds === null) return 'unknown'
  const [low, high] = [seconds.low, seconds.high].map((each) => secondsText(Math.max(1, Math.round(each))))
  return low === high ? `about ${low}` : `${low} to ${high}`
}

function memoryOf({ settings: { neededMemory, spillsAfter } }: BuildForecast): string {
  if (neededMemory === null) return 'unknown'
  return `${memoryText(neededMemory)}${spillsAfter === null ? '' : ', more than there is'}`
}
