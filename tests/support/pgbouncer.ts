import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Whether this machine has PgBouncer (Debian's package pgbouncer). */
export const hasPgBouncer = spawnSync('pgbouncer', ['--version']).status === 0

/** A PgBouncer in transaction mode before a database. */
export interface RunningPgBouncer {
  /** The database's URL through the pooler. */
  readonly url: string
  stop(): Promise<void>
}

/** Where a PgBouncer stands: before a server, on a port, with its files in a folder. */
export interface PgBouncerPlace {
  readonly server: URL
  readonly port: number
  readonly directory: string
}

/** Starts PgBouncer in transaction mode before the database of this URL, or as the given files tell it to. */
export async function startPgBouncer(
  url: string,
  filesFor: (place: PgBouncerPlace) => Readonly<Record<string, string>> = plainFiles,
): Promise<RunningPgBouncer> {
  const server = new URL(url)
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'knex-pgvector-pgbouncer-'))
  await chmod(directory, 0o755)
  const file = join(directory, 'pgbouncer.ini')
  for (const [name, content] of Object.entries(filesFor({ server, port, directory }))) {
    await writeFile(join(directory, name), content)
  }
  // It refuses to run as root, and changes to this user itself.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn('pgbouncer', [...user, file], { stdio: ['ignore', 'ignore', 'pipe'] })
  await listening(child)
  const pooled = new URL(url)
  pooled.hostname = '127.0.0.1'
  pooled.port = String(port)
  return {
    url: pooled.href,
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true })
    },
  }
}

/** Transaction mode before any database of the server. */
export function plainFiles({ server, port }: PgBouncerPlace): { readonly 'pgbouncer.ini': string } {
  const settings = `[databases]
* = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
server_check_delay = 0
`
  return { 'pgbouncer.ini': settings }
}

async function listening(child: ChildProcess): Promise<void> {
  if (child.stderr === null) throw new Error('pgbouncer has no stderr')
  const said: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line)
    if (/process up/.test(line)) {
      child.stderr.resume()
      return
    }
  }
  throw new Error(`pgbouncer did not start:\n${said.join('\n')}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
