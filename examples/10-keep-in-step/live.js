const { setTimeout: sleep } = require('node:timers/promises')

const { inStep, keepInStep } = require('knex-pgvector')

const { run } = require('./run')
const { articles } = require('./vectors')

// The application and its worker. In a deployment the worker is a process of its own, and ends at SIGTERM.
void run(async (knex) => {
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort())
  const worker = keepInStep(knex, articles, { settle: '200ms', poll: '100ms', signal: stop.signal, logger: false })
  const edits = async () => {
    for (let edit = 1; edit <= 20; edit++) {
      await knex('articles')
        .where({ title: 'Tea' })
        .update({ body: `jazz quiz ${'z'.repeat(edit)}` })
    }
    for (let waiting = await inStep(knex, articles); waiting.stale > 0; waiting = await inStep(knex, articles)) {
      await sleep(100)
    }
  }
  try {
    await Promise.race([edits(), worker])
  } finally {
    stop.abort()
  }
  const { filled } = await worker
  console.log(filled < 20 ? '20 edits, fewer vectors' : `20 edits, ${filled} vectors`)
})
