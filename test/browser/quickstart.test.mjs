// docs/integrating.md, done: the chapters "From nothing to a sign-in" and "The sandbox" as they stand there, and the programs that the console
// shows for other kinds of services, as they stand in the testdata of clients/console/snippets. Only the libraries are those that the project
// has installed already.
import assert from 'node:assert/strict'
import { createHash, KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { access, copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, root, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { chapters } from './lib/document.mjs'
import { Program } from './lib/program.mjs'
import { enterPIN, refused } from './lib/steps.mjs'

const at = addresses()
const home = 'http://localhost:8420'
const testdata = path.join(root, 'clients/console/snippets/testdata')
const python = path.join(root, 'build/python')
const noPython = await access(path.join(python, 'installed.txt')).then(() => false, () => 'scripts/install-test-deps could not install the Python packages')
const languages = {
  'main.go': { title: 'Go', lang: 'go', run: 'go run .' },
  'quickstart.mjs': { title: 'Node.js', lang: 'js', run: 'node quickstart.mjs' },
  'quickstart.py': { title: 'Python', lang: 'python', run: 'venv/bin/python quickstart.py', skip: noPython },
  'quickstart.sh': { title: 'By hand', lang: 'sh', run: 'sh quickstart.sh' },
}

describe('quick start', { timeout: 300_000 }, () => {
  let folder, demo, browser, hanako, registered, key, doc
  let count = 0
  const secret = randomBytes(32).toString('base64url')

  const sample = (clientId, more) => ({
    client_id: `sample-${clientId}`, client_name: `見本 ${clientId}`, 'client_name#en': `Sample ${clientId}`, operator: '見本', development: true,
    redirect_uris: [`${home}/callback`], scope: 'openid', ...more,
  })

  before(async () => {
    doc = await chapters('integrating.md')
    folder = await tempVar()
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', keys.publicKey)
    key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })
    const hash = createHash('sha256').update(secret).digest('hex')
    const own = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'], scope: 'service' }
    const withKey = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty, crv, x, y, kid: 'sample', alg: 'ES256', use: 'sig' }] } }
    const file = path.join(folder, 'clients.json')
    await writeFile(file, JSON.stringify([
      sample('key', { ...withKey, scope: 'openid offline_access', grant_types: ['authorization_code', 'refresh_token'] }),
      sample('post', { redirect_uris: [`${home}/`], token_endpoint_auth_method: 'client_secret_post', client_secret_sha256: hash }),
      sample('public', { redirect_uris: [`${home}/login`], token_endpoint_auth_method: 'none' }),
      sample('government', { ...withKey, profile: 'fapi2' }),
      sample('machine', { ...own, token_endpoint_auth_method: 'client_secret_basic', client_secret_sha256: hash }),
      sample('machine-key', { ...own, ...withKey }),
    ]))
    demo = await new Demo(path.join(folder, 'var'), '-clients', file).start()
    browser = await launch()
    hanako = await Citizen.arrive(browser, { label: 'quickstart' })
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(folder)
  })

  // prepare makes the folder that the install commands of the document would make, with what is installed already.
  async function prepare(file, text) {
    const dir = path.join(folder, `program-${++count}`)
    await mkdir(dir)
    await writeFile(path.join(dir, file), text)
    await writeFile(path.join(dir, 'private-key.pem'), key, { mode: 0o600 })
    await symlink(path.join(root, 'test/browser/node_modules'), path.join(dir, 'node_modules'))
    await symlink(python, path.join(dir, 'venv'))
    const mod = await readFile(path.join(root, 'go.mod'), 'utf8')
    const wanted = mod.match(/^\t(github\.com\/(coreos\/go-oidc|go-jose\/go-jose)\/v\d|golang\.org\/x\/oauth2) v\S+/gm)
    await writeFile(path.join(dir, 'go.mod'), `module quickstart\n\ngo 1.26\n\nrequire (\n${wanted.join('\n')}\n)\n`)
    await copyFile(path.join(root, 'go.sum'), path.join(dir, 'go.sum'))
    return dir
  }

  const environment = (clientId) => ({
    GOFLAGS: '-mod=mod', CGO_ENABLED: '0', ...(clientId ? { CLIENT_SECRET: secret } : registered),
  })

  // goOn answers what the hub asks until the browser is at the program again.
  async function goOn(citizen, card) {
    for (const [question, answer] of [
      ['#card-login', async () => { await citizen.click('#card-login'); await enterPIN(citizen, card) }],
      ['#open-folder', () => citizen.click('#open-folder')],
      ['#consent-allow', () => citizen.click('#consent-allow')],
    ]) {
      if (await citizen.page.locator(question).count()) await answer()
    }
  }

  // signIn begins at the program's own page and answers the name that it knows the citizen by.
  async function signIn(citizen, card, start = '/') {
    await citizen.open(home + start)
    await citizen.click('text=Sign in')
    await goOn(citizen, card)
    const said = await citizen.page.locator('body').innerText()
    const sub = /^Signed in: (\S{20,})\s*$/.exec(said)?.[1]
    assert.ok(sub, `at ${citizen.page.url()}: ${said}`)
    return sub
  }

  // serves runs a program that signs people in, and tries it.
  async function serves(file, text, clientId, callback, start) {
    const program = new Program(languages[file].run, { cwd: await prepare(file, text), env: environment(clientId) })
    try {
      await program.answers(home + (start ?? '/'))
      const forged = await fetch(`${home}${callback}?code=x&state=y&iss=${encodeURIComponent(at.hub)}`)
      assert.ok(forged.status >= 400 && !(await forged.text()).includes('Signed in'), `an answer without a sign-in: ${forged.status}`)
      return await signIn(hanako, 'hanako', start)
    } catch (err) {
      err.message += `\n${program.output}`
      throw err
    } finally {
      await program.stop()
    }
  }

  // byHand runs the program that asks for the address the browser ended at.
  async function byHand(text, clientId) {
    const program = new Program(languages['quickstart.sh'].run, { cwd: await prepare('quickstart.sh', text), env: environment(clientId) })
    const nobody = http.createServer((_, res) => res.end('nobody')).listen(8420, 'localhost')
    try {
      const [url] = await program.printed(/^http:.*$/m)
      await hanako.open(url)
      await goOn(hanako, 'hanako')
      program.child.stdin.end(hanako.page.url() + '\n')
      const tokens = JSON.parse((await program.done()).trim().split('\n').at(-1))
      return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url')).sub
    } finally {
      nobody.closeAllConnections()
      nobody.close()
      await program.stop()
    }
  }

  test('the document: register', async () => {
    const [run, register] = doc.get('From nothing to a sign-in').code
    assert.equal(run.text, 'make run\n')
    const printed = await new Program(`${register.text}printf '%s\\n' "$CLIENT_ID" "$CLIENT_SECRET"`, { cwd: folder }).done()
    const [CLIENT_ID, CLIENT_SECRET] = printed.trim().split('\n')
    assert.ok(CLIENT_ID && CLIENT_SECRET?.length >= 43, printed)
    registered = { CLIENT_ID, CLIENT_SECRET }
  })

  let sub
  for (const [file, { title, lang, run, skip }] of Object.entries(languages)) {
    test(`the document: ${title}`, { skip }, async () => {
      const [program, commands] = doc.get(title).code
      assert.equal(program.lang, lang)
      assert.equal(commands.text.trim().split('\n').at(-1), run, 'the document starts the program otherwise')
      const seen = file === 'quickstart.sh' ? await byHand(program.text) : await serves(file, program.text, '', '/callback')
      assert.equal(seen, sub ??= seen, 'one service, one citizen, two names')
    })
  }

  // What the console shows a service with other settings.
  for (const [name, callback, start] of [['key', '/callback'], ['post', '/', '/quickstart'], ['public', '/login'], ['government', '/callback']]) {
    test(`the console: a sign-in, ${name}`, { skip: noPython }, async () => {
      const subs = new Set()
      for (const entry of await readdir(path.join(testdata, name))) {
        const file = entry.replace(/\.txt$/, '')
        if (!languages[file]) continue // of a language that the tests do not install
        const text = await readFile(path.join(testdata, name, entry), 'utf8')
        subs.add(file === 'quickstart.sh' ? await byHand(text, `sample-${name}`) : await serves(file, text, `sample-${name}`, callback, start))
      }
      assert.deepEqual([...subs], [sub], 'services of one host know a citizen by one name')
    })
  }

  for (const name of ['machine', 'machine-key']) {
    test(`the console: a token of its own, ${name}`, { skip: noPython }, async () => {
      for (const entry of await readdir(path.join(testdata, name))) {
        const file = entry.replace(/\.txt$/, '')
        if (!languages[file]) continue
        const dir = await prepare(file, await readFile(path.join(testdata, name, entry), 'utf8'))
        const said = await new Program(languages[file].run, { cwd: dir, env: environment(name) }).done()
        assert.match(said, file === 'main.go' ? /^token until 20\d\d-/m : file === 'quickstart.sh' ? /"access_token":"[^"]{20,}"/ : /^token for (600|599) seconds$/m, file)
      }
    })
  }

  describe('the sandbox', () => {
    let program, orders

    before(async () => {
      orders = doc.get('The sandbox')
      const { text } = doc.get('Node.js').code[0]
      program = new Program(languages['quickstart.mjs'].run, { cwd: await prepare('quickstart.mjs', text), env: environment('') })
      await program.answers(home)
    })
    after(() => program?.stop())

    // order does what the document's command does, for one of the orders in its table.
    async function order(what) {
      const command = orders.code[0].text.trim()
      assert.match(command, /^curl -X POST http:\S+\/faults\/revoke\/hanako$/)
      assert.ok(orders.rows.some((row) => row.some((cell) => cell.includes(`\`${what}\``))), `no order ${what}`)
      await new Program(`${command.replace('revoke/hanako', what)} -sS --fail`, { cwd: folder }).done()
    }

    async function comes(card, fn) {
      const who = await Citizen.arrive(browser, { label: `sandbox-${card}` })
      try {
        return await fn(who)
      } finally {
        await who.leave()
      }
    }
    const signsIn = (card) => comes(card, (who) => signIn(who, card))
    const isRefused = (card, reason) => comes(card, async (who) => {
      await who.open(home)
      await who.click('text=Sign in')
      await who.click('#card-login')
      await enterPIN(who, card)
      await who.page.locator(refused(reason)).waitFor()
    })

    test('cards that show what the table says', async () => {
      const told = new Map(orders.rows.map((row) => [row[0].replaceAll('`', ''), /`([a-z_]+)`/.exec(row[2] ?? '')?.[1]]))
      for (const card of ['revoked', 'expired', 'blocked']) await isRefused(card, told.get(card))
    })

    test('a card that is revoked, and restored', async () => {
      await order('revoke/hanako')
      await isRefused('hanako', 'cert_revoked')
      await order('restore/hanako')
      assert.equal(await signsIn('hanako'), sub)
    })

    test('a card that was renewed: the same name, and the old one is refused', async () => {
      const before = await signsIn('taro')
      assert.notEqual(before, sub)
      await order('revoke/taro?reason=superseded')
      assert.equal(await signsIn('taro-renewed'), before)
      await isRefused('taro', 'cert_revoked')
      await order('restore/taro')
      await isRefused('taro', 'card_replaced')
    })

    test('a responder that vouches for nobody, and one that is down', async () => {
      await order('ocsp-answers/down')
      await isRefused('hanako', 'status_unknown')
      await order('ocsp-answers/up')
      await order('ocsp/down')
      assert.equal(await signsIn('hanako'), sub)
      await order('ocsp/up')
    })
  })
})
