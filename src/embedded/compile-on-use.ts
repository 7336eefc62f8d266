interface Setup {
  readonly emscriptenOpts: object
}

/**
 * A part of PGlite's configuration that makes it compile the library of an extension when it is loaded. Otherwise PGlite
 * compiles those of all available extensions when it starts, which takes a third of the time.
 */
export const compileOnUse = {
  name: 'compile_on_use',
  setup: (_pglite: unknown, options: object): Promise<Setup> =>
    Promise.resolve({ emscriptenOpts: { ...options, noWasmDecoding: true } }),
} as const
