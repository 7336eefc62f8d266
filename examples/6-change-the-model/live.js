const { setTimeout: sleep } = require('node:timers/promises')

const { nearestText } = require('knex-pgvector')

const { run } = require('./run')
const { change, documents, embedQuestion } = require('./vectors')

// An application that runs without a pause: a writer, searches of the old and of the new release, and the worker of both models.
// In the middle of it, the model is changed.
void run(async (knex) => {
  const end = new AbortController()
  const { signal } = end
  const searched = new Map()
  let wrong = 0

  async function search(release, embed) {
    while (!signal.aborted) {
      const { rows, model, column } = await nearestText(knex, documents, 'Cattle', {
        embed,
        limit: 3,
        columns: ['title'],
      })
      // The title itself has the distance 0, unless two models were compared.
      if (rows.length < 3 || rows[0].title !== 'Cattle' || rows[0].distance > 1e-6) wrong++
      const what = `the ${release} release searched ${column} with ${model}`
      searched.set(what, (searched.get(what) ?? 0) + 1)
      await sleep(20)
    }
  }

  async function write() {
    for (let edits = 1; !signal.aborted; edits++) {
      await knex('documents')
        .where({ title: 'Steam engines' })
        .orWhere('title', 'like', 'Engines %')
        .update({ title: `Engines ${edits}` })
      await sleep(50)
    }
  }

  const work = change.keepInStep(knex, { signal, settle: 0, poll: '100ms', logger: false })
  const old = { 'small-1': embedQuestion['small-1'] }
  const application = [work, write(), search('old', old), search('new', embedQuestion)]
  try {
    await sleep(500)
    const options = { logger: false, onEvent: ({ type, phase }) => type === 'phase' && console.log(phase) }
    await change.advance(knex, options)
    const { active } = await change.switch(knex, options)
    console.log(`searches use ${active.model} now`)
    await sleep(4000)
  } finally {
    end.abort()
    await Promise.all(application)
  }
  for (const what of [...searched.keys()].toSorted((left, right) => left.localeCompare(right))) console.log(what)
  console.log(`${wrong} searches were short or compared two models`)
})
