import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'

/** A connection that goes through a proxy. */
export interface ProxiedConnection {
  /** The messages after which a client waits for the server: simple queries, and the Sync of extended ones. */
  roundTrips(): readonly string[]
  /** Lets nothing through any more, in either direction, without a word to either side. */
  stall(): void
}

/** A TCP proxy in front of a server, which sees what clients send. */
export interface Proxy {
  /** The database's URL through the proxy. */
  readonly url: string
  readonly connections: readonly ProxiedConnection[]
  close(): Promise<void>
}

/** Starts a proxy in front of the server of a URL. Connections through it are not encrypted. */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url)
  const connections: ProxiedConnection[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    const messages = messageReader()
    let isStalled = false
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (data) => {
        if (isStalled) return
        if (from === client) messages.read(data)
        to.write(data)
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        if (!isStalled) to.destroy()
      })
    }
    connections.push({
      roundTrips: () => messages.roundTrips,
      stall: () => {
        isStalled = true
      },
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxied = new URL(url)
  proxied.hostname = '127.0.0.1'
  proxied.port = String((server.address() as AddressInfo).port)
  return {
    url: proxied.href,
    connections,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

const STARTUP_HEADER = 4
const HEADER = 5

/** Reads the frontend's messages of PostgreSQL's protocol, whose first one has no type. */
function messageReader(): { readonly roundTrips: string[]; read(data: Buffer): void } {
  const roundTrips: string[] = []
  let rest = Buffer.alloc(0)
  let isStarted = false
  let parsed = ''
  const readOne = (): boolean => {
    const header = isStarted ? HEADER : STARTUP_HEADER
    if (rest.length < header) return false
    const length = rest.readInt32BE(header - STARTUP_HEADER) + header - STARTUP_HEADER
    if (rest.length < length) return false
    const type = isStarted ? rest.toString('latin1', 0, 1) : ''
    const body = rest.subarray(header, length)
    if (type === 'Q') roundTrips.push(body.toString('utf8').replace(/\0$/, ''))
    if (type === 'P') parsed = body.toString('utf8').split('\0')[1] ?? ''
    if (type === 'S') roundTrips.push(parsed)
    isStarted = true
    rest = rest.subarray(length)
    return true
  }
  return {
    roundTrips,
    read: (data) => {
      rest = Buffer.concat([rest, data])
      while (readOne());
    },
  }
}
