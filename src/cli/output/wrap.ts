// A name breaks after one of its parts, a sentence between words.
const PIECES = /[^\s_.,/)-]*[\s_.,/)-]*/g

/** Wraps a text at `width` characters: between words, after punctuation in names, or else anywhere. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  const pieces = (text.match(PIECES) ?? []).flatMap((piece) => cut(piece, width))
  for (const piece of pieces) {
    if (line !== '' && (line + piece).trimEnd().length > width) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  return [...lines, line.trimEnd()]
}

function cut(piece: string, width: number): string[] {
  return piece.trimEnd().length <= width
    ? [piece]
    : Array.from({ length: Math.ceil(piece.length / width) }, (_, index) =>
        piece.slice(index * width, (index + 1) * width),
      )
}
