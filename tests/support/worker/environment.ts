import { TestEnvironment } from 'jest-environment-node'

import { returnEmbedded, takeEmbedded } from './embedded.ts'
import { createProgram, typescript } from './programs.ts'

/**
 * What the test files of a worker share. Jest loads the modules of each file again, and this one once a worker: a database
 * that is open stays open, and a compiler knows the sources that it has read.
 */
const shared = { createProgram, returnEmbedded, takeEmbedded, typescript }

declare global {
  var worker: typeof shared
}

/** Jest's environment for Node, with what the worker shares. */
export default class extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup()
    this.global.worker = shared
  }
}
