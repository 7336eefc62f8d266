const STARTUP_HEADER = 4
const HEADER = 5

/** A message of PostgreSQL's protocol. */
export interface Message {
  /** Its letter; empty for the first one of a client, which has none. */
  readonly type: string
  readonly bytes: Buffer
  readonly body: Buffer
}

/** Splits what one side of a connection sends into its messages. */
export function messageReader(sender: 'client' | 'server'): (data: Buffer) => readonly Message[] {
  let rest: Buffer = Buffer.alloc(0)
  let isStarted = sender === 'server'
  const readOne = (): Message | null => {
    const header = isStarted ? HEADER : STARTUP_HEADER
    if (rest.length < header) return null
    const length = rest.readInt32BE(header - STARTUP_HEADER) + header - STARTUP_HEADER
    if (rest.length < length) return null
    const bytes = rest.subarray(0, length)
    const type = isStarted ? bytes.toString('latin1', 0, 1) : ''
    isStarted = true
    rest = rest.subarray(length)
    return { type, bytes, body: bytes.subarray(header) }
  }
  return (data) => {
    rest = Buffer.concat([rest, data])
    const messages: Message[] = []
    for (let message = readOne(); message !== null; message = readOne()) messages.push(message)
    return messages
  }
}
