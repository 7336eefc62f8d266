/** Whether --json was given, for what happens before the command line is parsed, and where it cannot be. */
export function wantsJson(): boolean {
  return process.argv.includes('--json')
}
