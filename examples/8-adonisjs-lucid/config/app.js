import { defineConfig } from '@adonisjs/core/http'

// The HTTP server is not started here; the framework asks for these settings anyway.
export const appKey = 'this example encrypts nothing'
export const http = defineConfig({})
