// The one implementation is CommonJS; ESM applications get the same objects under the same names.
export * from './fleet.ts'
