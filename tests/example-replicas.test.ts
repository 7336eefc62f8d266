import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { describeOnServers } from './support/databases.ts'
import { examples, linesMissing, npmSettings, prepared, runReadme } from './support/examples.ts'
import { hasPgBouncer, startPgBouncer, type PgBouncerPlace, type RunningPgBouncer } from './support/pgbouncer.ts'
import { succeed } from './support/run.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// npm installs real packages here, and Docker builds images.
jest.setTimeout(4 * 60_000)

const name = '5-docker-compose'
const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0
const describeWithCompose = hasCompose ? describe : describe.skip
const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

afterAll(removeTemporaryFolders)

describeWithCompose('the example 5-docker-compose [docker compose]', () => {
  test('has a compose file that Docker Compose accepts', async () => {
    const config = await succeed('docker', ['compose', 'config'], { cwd: join(examples, name) })
    expect(config).toContain('image: pgvector/pgvector:pg18')
    expect(config).toContain('replicas: 3')
  })

  test('does with Docker Compose what its README says', async () => {
    const { output, promised } = await runReadme(name)
    expect(linesMissing(promised, output)).toEqual([])
    expect(output.match(/\bmigrated 001_documents$/gm)).toHaveLength(1)
    expect(output.match(/^\{"healthy":true,"documents":0\}$/gm)).toHaveLength(3)
  })
})

describeOnServers('the example 5-docker-compose', (database) => {
  let pooler: RunningPgBouncer | undefined
  const replicas: Replica[] = []

  afterEach(async () => {
    await Promise.all(replicas.splice(0).map(stop))
    await pooler?.stop()
    pooler = undefined
  })

  testWithPgBouncer('migrates once where three replicas start at once behind its PgBouncer', async () => {
    const app = await prepared(name)
    await succeed('npm', ['install'], { cwd: app, env: npmSettings })
    const { knex, url } = database()
    const files = await readFiles()
    pooler = await startPgBouncer(url ?? '', (place) => files(place))
    const DATABASE_URL = `postgres://app:secret@127.0.0.1:${new URL(pooler.url).port}/app`
    // Holds the replica that migrates, until the two others are seen to wait for it.
    await knex.raw(`
      create table gate (is_open boolean);
      create function wait_at_gate() returns event_trigger language plpgsql as $$
        begin
          while not exists (select from gate) loop perform pg_sleep(0.02); end loop;
        end $$;
      create event trigger wait_at_gate on ddl_command_end when tag in ('CREATE EXTENSION') execute function wait_at_gate()`)
    for (let number = 0; number < 3; number++) replicas.push(start(app, DATABASE_URL))
    const waiting = replicas.map(({ says }) => says(/^waiting for \S+ to migrate$/))
    const first = await Promise.any(waiting.map((line, index) => line.then(() => index)))
    await Promise.any(waiting.filter((_, index) => index !== first))
    await knex('gate').insert({ is_open: true })
    const ports = await Promise.all(replicas.map(({ says }) => says(/^listening on http:\/\/localhost:(\d+)$/)))
    for (const port of ports) {
      const response = await fetch(`http://localhost:${port}/health`)
      expect(await response.json()).toEqual({ healthy: true, documents: 0 })
    }
    const said = replicas.flatMap(({ lines }) => lines)
    expect(said.filter((line) => line === 'migrated 001_documents')).toHaveLength(1)
    expect(said.filter((line) => line === 'nothing to migrate')).toHaveLength(2)
    expect(await knex('knex_migrations').pluck('name')).toEqual(['001_documents'])
    expect(await Promise.all(replicas.map(stop))).toEqual([0, 0, 0])
  })
})

interface Replica {
  readonly process: ChildProcess
  /** All that it has printed. */
  readonly lines: readonly string[]
  /** Waits for a line; resolves to what it captures, else to all of it. */
  readonly says: (line: RegExp) => Promise<string>
}

function start(app: string, databaseUrl: string): Replica {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: app,
    env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const printed = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const says = async (wanted: RegExp): Promise<string> => {
    const seen = lines.find((line) => wanted.test(line))
    if (seen !== undefined) return wanted.exec(seen)?.[1] ?? seen
    return new Promise((resolve) => {
      printed.on('line', (line) => {
        const found = wanted.exec(line)
        if (found !== null) resolve(found[1] ?? found[0])
      })
    })
  }
  return { process: child, lines, says }
}

async function stop({ process: child }: Replica): Promise<number | null> {
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  return child.exitCode
}

/** The files of the example's PgBouncer, before the server of a test, on a port of its own. */
async function readFiles(): Promise<(place: PgBouncerPlace) => Record<string, string>> {
  const [settings, users] = await Promise.all(
    ['pgbouncer.ini', 'userlist.txt'].map((file) => readFile(join(examples, name, 'pgbouncer', file), 'utf8')),
  )
  return ({ server, port, directory }) => ({
    'userlist.txt': users ?? '',
    'pgbouncer.ini': replaced(settings ?? '', {
      'host=database port=5432':
        `host=${server.hostname} port=${server.port} dbname=${server.pathname.slice(1)} ` +
        `user=${server.username} password=${server.password}`,
      'listen_addr = *': 'listen_addr = 127.0.0.1',
      'listen_port = 6432': `listen_port = ${port}`,
      '/etc/pgbouncer/userlist.txt': join(directory, 'userlist.txt'),
    }),
  })
}

function replaced(text: string, replacements: Readonly<Record<string, string>>): string {
  return Object.entries(replacements).reduce((done, [before, after]) => {
    if (!done.includes(before)) throw new Error(`the settings lack ${before}`)
    return done.replace(before, after)
  }, text)
}
