import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { messageReader, type Message } from './wire.ts'

/** A connection that goes through a proxy. */
export interface ProxiedConnection {
  /** The messages after which a client waits for the server: simple queries, and the Sync of extended ones. */
  roundTrips(): readonly string[]
  /** How many messages each side has sent. */
  counts(): Readonly<Record<Sender, number>>
  /** The backend PID that the server named; null before it did. */
  backendPid(): number | null
  /** Lets nothing through any more, in either direction, without a word to either side. */
  stall(): void
  /** Resets the connections to both sides. */
  cut(): void
  /** Tells the other side that this one sends no more; what the other side sends still gets through. */
  endOf(sender: Sender): void
}

/** Which side of a connection sends. */
export type Sender = 'client' | 'server'

/** A message on its way: the how manieth of a side, from 0. */
export interface Passing {
  readonly connection: ProxiedConnection
  /** The how manieth connection, from 0. */
  readonly place: number
  readonly sender: Sender
  readonly number: number
  readonly message: Message
}

/** Looks at a message before it passes. A promise holds up the connection; after a fault the message is lost. */
export type Inspect = (passing: Passing) => Promise<void> | undefined

/** A TCP proxy in front of a server, which sees what clients send. */
export interface Proxy {
  /** The database's URL through the proxy. */
  readonly url: string
  readonly connections: readonly ProxiedConnection[]
  /** Ends the connections to the server whose client is gone, as the server does once it notices. */
  dropStalled(): void
  close(): Promise<void>
}

/** Starts a proxy in front of the server of a URL. Connections through it are not encrypted. */
export async function startProxy(url: string, inspect: Inspect = () => undefined): Promise<Proxy> {
  const target = new URL(url)
  const connections: ProxiedConnection[] = []
  const sockets = new Set<Socket>()
  const stalled = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true, noDelay: true })
    const place = connections.length
    const roundTrips: string[] = []
    const counts = { client: 0, server: 0 }
    let parsed = ''
    let backendPid: number | null = null
    let isStalled = false
    const isOver = { client: false, server: false }
    const connection: ProxiedConnection = {
      roundTrips: () => roundTrips,
      counts: () => counts,
      backendPid: () => backendPid,
      stall: () => {
        isStalled = true
        stalled.add(upstream)
      },
      cut: () => {
        client.resetAndDestroy()
        upstream.resetAndDestroy()
      },
      endOf: (sender) => {
        isOver[sender] = true
        ;(sender === 'client' ? upstream : client).end()
      },
    }
    connections.push(connection)
    for (const [sender, from, to] of [
      ['client', client, upstream],
      ['server', upstream, client],
    ] as const) {
      const read = messageReader(sender)
      const note = ({ type, body }: Message): void => {
        if (sender === 'server') {
          if (type === 'K') backendPid = body.readInt32BE(0)
          return
        }
        if (type === 'Q') roundTrips.push(body.toString('utf8').replace(/\0$/, ''))
        if (type === 'P') parsed = body.toString('utf8').split('\0')[1] ?? ''
        if (type === 'S') roundTrips.push(parsed)
      }
      const pass = async (data: Buffer): Promise<void> => {
        for (const message of read(data)) {
          if (isStalled || isOver[sender] || to.destroyed) return
          note(message)
          const looked = inspect({ connection, place, sender, number: counts[sender]++, message })
          if (looked !== undefined) await looked
          if (isStalled || isOver[sender] || to.destroyed) return
          to.write(message.bytes)
        }
      }
      sockets.add(from)
      let turn = Promise.resolve()
      from.on('data', (data) => {
        turn = turn.then(() => pass(data))
      })
      from.on('end', () => {
        turn = turn.then(() => void (isStalled || to.end()))
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        turn = turn.then(() => void (isStalled || to.destroy()))
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxied = new URL(url)
  proxied.hostname = '127.0.0.1'
  proxied.port = String((server.address() as AddressInfo).port)
  return {
    url: proxied.href,
    connections,
    dropStalled: () => {
      for (const socket of stalled) socket.destroy()
    },
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
