import type * as context from '../src/database/migration-context.ts'
import { sharedStorage } from '../src/database/shared-storage.ts'

describe('what is known of the migration that is running', () => {
  test('is shared by two copies of the package', async () => {
    const [first, second] = [copyOf(), copyOf()]
    expect(first.inMigration).not.toBe(second.inMigration)
    await first.inMigration({ name: '001_documents', direction: 'up' }, () => {
      expect(second.currentMigration()).toEqual({ name: '001_documents', direction: 'up' })
      return Promise.resolve()
    })
    expect(second.currentMigration()).toBeNull()
  })

  test('is kept apart from other things that are known', () => {
    expect(sharedStorage('one')).toBe(sharedStorage('one'))
    expect(sharedStorage('one')).not.toBe(sharedStorage('two'))
  })
})

type Copy = typeof context

function copyOf(): Copy {
  let copy: Copy | undefined
  jest.isolateModules(() => {
    copy = require('../src/database/migration-context.ts') as Copy
  })
  if (copy === undefined) throw new Error('the module was not loaded')
  return copy
}
