import { fork } from 'node:child_process'
import { once } from 'node:events'

const env = { ...process.env, PORT: '0' }

// All at once, as a deploy does it.
const replicas = Array.from({ length: 3 }, () => fork(new URL('server.js', import.meta.url), { env }))
const ports = await Promise.all(replicas.map(portOf))

// A replica that could not start has said why.
if (ports.includes(null)) process.exitCode = 1
else await show(ports)

const codes = await Promise.all(replicas.map(stop))
console.log(`stopped with the exit codes ${codes.join(', ')}`)

async function portOf(replica) {
  const started = once(replica, 'message').then(([{ port }]) => port)
  return Promise.race([started, once(replica, 'exit').then(() => null)])
}

async function show([first, ...others]) {
  for (const port of [first, ...others]) {
    const { pgvector, status } = await get(port, '/health')
    console.log(`port ${port}: pgvector ${pgvector} ${status}`)
  }
  const { name } = await get(first, '/search?like=%23ff8800')
  console.log(`#ff8800 looks like ${name}`)
}

async function get(port, path) {
  const response = await fetch(`http://localhost:${port}${path}`)
  return response.json()
}

async function stop(replica) {
  if (replica.exitCode === null) {
    replica.kill('SIGTERM')
    await once(replica, 'exit')
  }
  return replica.exitCode
}
