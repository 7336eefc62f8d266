/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: './tests/support/worker/environment.ts',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // The migrations name the package, as an application's do; under test it is the sources.
  moduleNameMapper: {
    '^knex-pgvector$': '<rootDir>/src/index.ts',
    '^knex-pgvector/(doctor|embedded|fleet|lint|migrator)$': '<rootDir>/src/$1.ts',
    '^typescript$': '<rootDir>/tests/support/typescript.js',
  },
  testSequencer: './tests/support/slow-first.js',
  globalSetup: './tests/support/global-setup.ts',
  globalTeardown: './tests/support/global-teardown.ts',
  // Two cores, and each worker has a PGlite most of the time.
  maxWorkers: 2,
  // Lists each test by name, and with it those that are skipped for want of a server.
  verbose: true,
  testTimeout: 60_000,
}
