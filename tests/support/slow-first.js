const { default: Sequencer } = require('@jest/test-sequencer')

// Seconds of the files that take longer than their size shows: they install packages and start processes. Started last,
// one of them would keep a single core busy.
const SECONDS = {
  package: 60,
  examples: 50,
  start: 40,
  'name-resolution-cli': 50,
  'knex-cli': 25,
  embedded: 25,
  docs: 20,
  'linear-time': 25,
  adopt: 20,
  'tenant-indexes': 30,
  'tenant-search': 25,
  'tenants-cli': 20,
  'lint-cli': 15,
  'empty-database': 10,
}

/** Starts with the slowest files, also where jest has not run them yet and goes by their size alone. */
module.exports = class SlowFirst extends Sequencer {
  time(test) {
    const seconds = SECONDS[/([^/\\]+)\.test\.ts$/.exec(test.path)?.[1]]
    return super.time(test) ?? (seconds === undefined ? this.guess(test) : seconds * 1000)
  }

  // 20 kB of tests take 5 s.
  guess({ path, context }) {
    return (context.hasteFS.getSize(path) ?? 0) / 4
  }
}
