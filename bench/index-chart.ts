/** A bar of the chart. */
export interface Bar {
  readonly label: string
  readonly seconds: number
}

const WIDTH = 720
const LABELS = 260
const ROW = 36

// The chart brings its own background, so that its text is readable whatever page shows it.
const STYLE =
  'svg { fill: #1f2328 } .page { fill: #ffffff } @media (prefers-color-scheme: dark) { svg { fill: #e6edf3 } .page { fill: #0d1117 } }'

/** A bar chart in SVG, for a light and for a dark page. */
export function chart(title: string, bars: readonly Bar[]): string {
  const longest = Math.max(...bars.map(({ seconds }) => seconds))
  const scale = (WIDTH - LABELS - 80) / longest
  const rows = bars.map(({ label, seconds }, row) => {
    const top = 44 + row * ROW
    const width = Math.max(1, seconds * scale).toFixed(1)
    return [
      `<text x="${LABELS - 10}" y="${top + 16}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LABELS}" y="${top}" width="${width}" height="22" rx="3" fill="#2563eb"/>`,
      `<text x="${(LABELS + Number(width) + 8).toFixed(1)}" y="${top + 16}">${seconds.toFixed(1)} s</text>`,
    ].join('\n  ')
  })
  const height = 52 + bars.length * ROW
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="14">
  <title>${escaped(title)}</title>
  <style>${STYLE}</style>
  <rect class="page" width="${WIDTH}" height="${height}"/>
  <text x="10" y="24" font-weight="bold">${escaped(title)}</text>
  ${rows.join('\n  ')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
