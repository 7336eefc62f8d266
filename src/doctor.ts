export { diagnose, type DiagnoseOptions } from './doctor/diagnose.ts'
export type { Check, Finding } from './doctor/finding.ts'
