import { writeFileSync } from 'node:fs'

import { apiReport, reportFile } from './api-report.ts'

writeFileSync(reportFile, apiReport())
