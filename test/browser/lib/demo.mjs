// Starts and stops the demo the way a person does: the program, a folder for
// its state, Ctrl-C or worse.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
const program = path.join(root, 'bin', 'demo')
const startSeconds = 60

export const addresses = (tls = false) => {
  const scheme = tls ? 'https' : 'http'
  return {
    hub: `${scheme}://localhost:8400`,
    portal: `${scheme}://localhost:8401`,
    etax: `${scheme}://localhost:8402`,
    city: `${scheme}://localhost:8403`,
    pension: `${scheme}://127.0.0.1:8403`,
    agent: `${scheme}://127.0.0.1:8404`,
    postbox: `${scheme}://localhost:8405`,
  }
}

export const tempVar = () => mkdtemp(path.join(os.tmpdir(), 'tsunagu-demo-'))
export const removeVar = (dir) => rm(dir, { recursive: true, force: true })

export class Demo {
  constructor(varDir, ...flags) {
    this.varDir = varDir
    this.flags = flags
    this.output = ''
  }

  async start() {
    this.child = spawn(program, ['-var', this.varDir, ...this.flags], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })))
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the demo was not ready in ${startSeconds} s:\n${this.output}`)), startSeconds * 1000)
      const hear = (chunk) => {
        this.output += chunk
        if (/^ready$/m.test(this.output)) {
          clearTimeout(timer)
          resolve()
        }
      }
      this.child.stdout.setEncoding('utf8').on('data', hear)
      this.child.stderr.setEncoding('utf8').on('data', hear)
      this.child.once('error', (err) => { clearTimeout(timer); reject(err) })
      this.ended.then(({ code, signal }) => {
        clearTimeout(timer)
        reject(new Error(`the demo ended (${signal ?? code}) before it was ready:\n${this.output}`))
      })
    })
    return this
  }

  // stop sends the signal and answers how the program ended.
  async stop(signal = 'SIGINT') {
    if (!this.child) return {}
    this.child.kill(signal)
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 20_000)
    const end = await this.ended
    clearTimeout(timer)
    this.child = undefined
    return end
  }

  // restart ends the program by the signal and starts it on the same state.
  async restart(signal) {
    const end = await this.stop(signal)
    this.output = ''
    await this.start()
    return end
  }
}
