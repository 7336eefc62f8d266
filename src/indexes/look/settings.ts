/** Settings of this session; sizes are in bytes. */
export interface ServerSettings {
  readonly maintenanceWorkMemory: number
  readonly sharedBuffers: number
  readonly maintenanceWorkers: number
  /** A single process reads a table below this size. */
  readonly minParallelScan: number
}

/** SQL: {@link ServerSettings} as json. */
export const serverSettingsSql = `json_build_object(
  'maintenanceWorkMemory', pg_size_bytes(current_setting('maintenance_work_mem')),
  'sharedBuffers', pg_size_bytes(current_setting('shared_buffers')),
  'maintenanceWorkers', current_setting('max_parallel_maintenance_workers')::int,
  'minParallelScan', pg_size_bytes(current_setting('min_parallel_table_scan_size')))`
