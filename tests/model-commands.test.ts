import type { CliResult } from './support/cli.ts'
import { describeOnOneServer } from './support/databases.ts'
import { createProject, knexfile } from './support/project.ts'
import { removeTemporaryFolders } from './support/temporary.ts'
import { createArticles } from './support/two-models.ts'

afterEach(removeTemporaryFolders)

const declared = `
  import { changeModel, embedding, vectorColumn } from 'knex-pgvector'

  const column = (name) => vectorColumn('articles', name, { dimensions: 3 })
  export const articles = embedding('articles', { column: column('embedding'), from: ['title'], model: 'small-3' })
  const embed = { 'large-3': async (rows) => rows.map(({ title }) => [1, title.length, 1000]) }
  export const change = changeModel(articles, { to: { column: column('embedding_large'), model: 'large-3' }, embed })
  export const another = changeModel(articles, { to: { column: column('embedding_other'), model: 'other-3' } })
`

describeOnOneServer('knex-pgvector model', (database) => {
  type Command = (...flags: string[]) => Promise<CliResult>
  const commands = async (): Promise<Command & { readonly vectors: Command }> => {
    const { knex, url } = database()
    await createArticles(knex, 30)
    const one = declared.replace(/.*another.*\n/, '')
    const { run } = await createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared, 'one.ts': one })
    const place = { DATABASE_URL: url ?? '' }
    const model: Command = (action = '', ...flags) =>
      run(['model', action, '--declared', 'vectors.ts', '--model', 'large-3', ...flags], place)
    return Object.assign(model, {
      vectors: (...flags: string[]) => run(['vectors', ...flags, '--declared', 'one.ts'], place),
    })
  }

  test('takes a change from its first phase to its last in three commands', async () => {
    const model = await commands()
    const begun = await model('status')
    expect(begun.stdout).toMatch(/^next phase: expand\n/)
    expect(begun.stdout).toMatch(/active +embedding +small-3 +l2/)
    expect(begun.stdout).toContain('Next: npx knex-pgvector model advance --declared vectors.ts')

    const advanced = await model('advance')
    expect(advanced.code).toBe(0)
    expect(advanced.stderr).toMatch(/expand …\nbackfill …\n(.*\n)*index …\n(.*\n)*compare …\n/)
    expect(advanced.stdout).toMatch(/active +embedding +small-3 +l2 +100.0 % +[\d.]+ ms/)

    expect(JSON.parse((await model('switch', '--json')).stdout)).toMatchObject({
      phase: 'contract',
      active: { column: 'embedding_large', model: 'large-3' },
    })

    const asked = await model('contract')
    expect(asked).toMatchObject({ code: 2, stdout: '' })
    expect(asked.stderr).toContain('--yes: is needed to drop the old column')
    const contracted = await model('contract', '--yes')
    expect(contracted.stdout).toMatch(/^done: the old column is dropped\n/)
  })

  test('goes back, and explains a step that comes too early', async () => {
    const model = await commands()
    const early = await model('switch')
    expect(early.code).toBe(2)
    expect(early.stderr).toContain('the phase is expand: run advance first')
    expect((await model.vectors('status')).stdout).toBe('✓ articles.embedding: in step\n')
    await model('advance', '--until', 'index')
    expect((await model.vectors('status', '--only', 'articles.embedding')).stdout).toBe(
      '✓ articles.embedding: in step\n' +
        '    changing from small-3 to large-3: next phase compare, npx knex-pgvector model advance\n',
    )
    expect((await model('back', '--to', 'expand')).stdout).toMatch(/^next phase: expand\n/)
  })

  test('names the changes of a module that declares several', async () => {
    const { url } = database()
    const { run } = await createProject({ 'knexfile.js': knexfile, 'vectors.ts': declared })
    const { code, stderr } = await run(['model', 'status', '--declared', 'vectors.ts'], { DATABASE_URL: url ?? '' })
    expect(code).toBe(2)
    expect(stderr).toContain('--model: the module declares several changes, to large-3, other-3: name one')
  })
})
