// For processes that start PGlite and soon end: they would spend half of their time on optimising its WebAssembly.
require('node:v8').setFlagsFromString('--liftoff-only')
