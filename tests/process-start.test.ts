import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { isRunning, startFromPs, startOf } from '../src/embedded/process-start.ts'

describe('the identity of a process', () => {
  test('is the same as long as it runs, and another one after it', async () => {
    const start = await startOf(process.pid)
    expect(await startOf(process.pid)).toBe(start)
    expect(await isRunning({ processId: process.pid, start })).toBe(true)
    expect(await isRunning({ processId: process.pid, start: 'before the last boot' })).toBe(start === null)
  })

  test('is its number alone where its start is not known', async () => {
    expect(await isRunning({ processId: process.pid, start: null })).toBe(true)
  })

  test('is gone with the process', async () => {
    const child = spawn(process.execPath, ['--eval', 'process.stdin.resume()'])
    const processId = child.pid ?? 0
    const start = await startOf(processId)
    expect(await isRunning({ processId, start })).toBe(true)
    child.stdin.end()
    await once(child, 'exit')
    expect(await isRunning({ processId, start })).toBe(false)
  })
})

const describeOnLinux = process.platform === 'linux' ? describe : describe.skip

describeOnLinux('the identity of a process', () => {
  test('is gone with it even where its parent never asks how it ended', async () => {
    // sleep takes the place of the shell, and with it the shell's child, which ends with its input.
    const parent = spawn('sh', ['-c', 'exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 60'])
    const processId = Number(await once(parent.stdout, 'data'))
    const start = await startOf(processId)
    expect(await isRunning({ processId, start })).toBe(true)
    parent.stdin.end()
    while (await isRunning({ processId, start }));
    expect(() => process.kill(processId, 0)).not.toThrow()
    parent.kill('SIGKILL')
  })
})

const describeWithPs = process.platform === 'win32' ? describe.skip : describe

describeWithPs('the identity of a process', () => {
  test('can be had from ps', async () => {
    const start = await startFromPs(process.pid)
    expect(start).toMatch(/^\w{3} +\w+ +\w+ [\d:]{8} \d{4}$/)
    expect(await startFromPs(process.pid)).toBe(start)
    expect(await startFromPs(2 ** 30)).toBeNull()
  })
})
