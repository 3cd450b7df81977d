// A relying party built on openid-client, in a process of its own: see party.mjs.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export class Party {
  constructor(ca) {
    this.child = fork(fileURLToPath(new URL('./party.mjs', import.meta.url)), { env: { ...process.env, NODE_EXTRA_CA_CERTS: ca } })
  }

  ask(step, input) {
    return new Promise((resolve, reject) => {
      this.child.once('message', ({ result, error }) => error
        ? reject(Object.assign(new Error(`${step}: ${error.message} (${error.code ?? ''} ${error.status ?? ''})\n${error.cause}`), { code: error.code, status: error.status }))
        : resolve(result))
      this.child.send({ step, input })
    })
  }

  end() { this.child.kill() }
}
