// A name breaks after a part of it, a sentence between words.
const PIECES = /[^\s_.,/)-]*[\s_.,/)-]*/g

/** A text in lines of at most `width` characters, broken between words, inside of names after a sign, else anywhere. */
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
