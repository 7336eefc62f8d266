/** Whether --json was given. It also works before the command line is parsed, or if it cannot be. */
export function wantsJson(): boolean {
  return process.argv.includes('--json')
}
