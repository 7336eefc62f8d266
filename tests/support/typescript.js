// The compiler as the worker has it, for `import ts from 'typescript'` in a test.
module.exports = globalThis.worker.typescript()
