// Runs what an integrator would run, the way she would: a shell in a folder, and Ctrl-C.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export class Program {
  constructor(command, { cwd, env = {} }) {
    this.output = ''
    // A group of its own: what the shell starts ends with it.
    this.child = spawn('sh', ['-euc', command], { cwd, env: { ...process.env, ...env }, detached: true })
    this.ended = once(this.child, 'close').then(([code]) => code)
    for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => { this.output += chunk })
  }

  // done waits for the end and answers what was printed.
  async done() {
    const code = await this.ended
    if (code !== 0) throw new Error(`ended with ${code}:\n${this.output}`)
    return this.output
  }

  // printed waits for a line that fits.
  async printed(pattern) {
    for (;;) {
      const found = pattern.exec(this.output)
      if (found) return found
      await Promise.race([once(this.child.stdout, 'data'), this.fails()])
    }
  }

  // answers waits until the program serves the address.
  async answers(url) {
    const wait = 50
    for (;;) {
      try {
        return await fetch(url, { redirect: 'manual' })
      } catch {
        await Promise.race([new Promise((resolve) => { setTimeout(resolve, wait) }), this.fails()])
      }
    }
  }

  async fails() { throw new Error(`ended with ${await this.ended}:\n${this.output}`) }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) process.kill(-this.child.pid, 'SIGKILL')
    await this.ended
  }
}
