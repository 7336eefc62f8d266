import type * as embedded from '../src/embedded.ts'
import type * as fleet from '../src/fleet.ts'
import type * as library from '../src/index.ts'
import type * as migrator from '../src/migrator.ts'

// The built package, as an application loads it. Its types are those of the source, so that checking them needs no build.
const builtLibrary = require('../dist/index.js') as typeof library
const builtMigrator = require('../dist/migrator.js') as typeof migrator
const builtEmbedded = require('../dist/embedded.js') as typeof embedded
const builtFleet = require('../dist/fleet.js') as typeof fleet

export const backfill = builtLibrary.backfill
export const copyVectors = builtLibrary.copyVectors
export const createFleet = builtFleet.createFleet
export const createVectorIndex = builtLibrary.createVectorIndex
export const diffVectors = builtLibrary.diffVectors
export const dropPgvector = builtLibrary.dropPgvector
export const embedding = builtLibrary.embedding
export const ensurePgvector = builtLibrary.ensurePgvector
export const ensureTenantIndexes = builtLibrary.ensureTenantIndexes
export const forecastBuild = builtLibrary.forecastBuild
export const findDependents = builtLibrary.findDependents
export const inStep = builtLibrary.inStep
export const keepInStep = builtLibrary.keepInStep
export const migrationSource = builtLibrary.migrationSource
export const nearestRows = builtLibrary.nearestRows
export const removeInStep = builtLibrary.removeInStep
export const setUpInStep = builtLibrary.setUpInStep
export const tenantRule = builtLibrary.tenantRule
export const toBinary = builtLibrary.toBinary
export const verifyInStep = builtLibrary.verifyInStep
export const vectorColumn = builtLibrary.vectorColumn
export const vectorIndex = builtLibrary.vectorIndex
export const embeddedPgvector = builtEmbedded.embeddedPgvector
export const createMigrator = builtMigrator.createMigrator
