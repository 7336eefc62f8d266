import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const docs = join(__dirname, '../docs')
const charts = readdirSync(docs).filter((name) => name.endsWith('.svg'))

type Colour = readonly [red: number, green: number, blue: number]
type Scheme = 'light' | 'dark'

describe.each(charts)('docs/%s', (name) => {
  const svg = readFileSync(join(docs, name), 'utf8')

  test('has a title', () => {
    expect(svg).toMatch(/<title>[^<]+<\/title>/)
  })

  test.each(['light', 'dark'] as const)('has text that is readable on its own %s background', (scheme) => {
    const texts = elementsOf(svg, 'text')
    expect(texts.length).toBeGreaterThan(3)
    const faint = texts.map((text) => ({ text: text.content, ratio: contrastOf(svg, text, scheme) }))
    expect(faint.filter(({ ratio }) => !(ratio >= 4.5))).toEqual([])
  })
})

interface Element {
  readonly attributes: ReadonlyMap<string, string>
  readonly content: string
}

function elementsOf(svg: string, tag: string): Element[] {
  return [...svg.matchAll(new RegExp(`<${tag} ([^>]*?)/?>([^<]*)`, 'g'))].map(([, attributes = '', content = '']) => ({
    attributes: new Map(
      [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
    ),
    content,
  }))
}

/** The contrast of a text with the rectangles under it, as WCAG 2 defines it. */
function contrastOf(svg: string, text: Element, scheme: Scheme): number {
  const [x, y] = [numberOf(text, 'x'), numberOf(text, 'y') - 4]
  const under = elementsOf(svg, 'rect').filter((rect) => {
    const [left, top] = [numberOf(rect, 'x'), numberOf(rect, 'y')]
    return x >= left && x <= left + numberOf(rect, 'width') && y >= top && y <= top + numberOf(rect, 'height')
  })
  const background = under.reduce<Colour>(
    (below, rect) => {
      const opacity = Number(rect.attributes.get('fill-opacity') ?? 1)
      const above = fillOf(svg, rect, scheme)
      const mixed = (channel: 0 | 1 | 2): number => above[channel] * opacity + below[channel] * (1 - opacity)
      return [mixed(0), mixed(1), mixed(2)]
    },
    fillOf(svg, { attributes: new Map([['class', 'page']]), content: '' }, scheme),
  )
  const [lighter = 0, darker = 0] = [fillOf(svg, text, scheme), background].map(luminance).toSorted((a, b) => b - a)
  return (lighter + 0.05) / (darker + 0.05)
}

function numberOf({ attributes }: Element, name: string): number {
  return Number(attributes.get(name) ?? 0)
}

/** The fill that the style sheet gives an element in a scheme, or else its attribute. */
function fillOf(svg: string, { attributes }: Element, scheme: Scheme): Colour {
  const [light = '', dark = ''] = (/<style>(.*)<\/style>/s.exec(svg)?.[1] ?? '').split(
    '@media (prefers-color-scheme: dark)',
  )
  const sheet = scheme === 'dark' ? dark : light
  const styled = (selector: string): string | undefined =>
    new RegExp(`(?:^|[ {])${selector.replace('.', String.raw`\.`)} \\{[^}]*fill: (#[0-9a-f]{6})`).exec(sheet)?.[1]
  const classes = (attributes.get('class') ?? '').split(' ').filter((each) => each !== '')
  const found = classes.map((each) => styled(`.${each}`)).find((fill) => fill !== undefined)
  return colourOf(found ?? attributes.get('fill') ?? styled('svg') ?? '')
}

function colourOf(hex: string): Colour {
  const [red = Number.NaN, green = Number.NaN, blue = Number.NaN] = [1, 3, 5].map((at) =>
    parseInt(hex.slice(at, at + 2), 16),
  )
  return [red, green, blue]
}

function luminance(colour: Colour): number {
  const [red = 0, green = 0, blue = 0] = colour.map((channel) => {
    const share = channel / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
