// An operator registers the careless service from the command line and tries it in the console: the report is red with what is wrong and nothing
// else, and a second operator lets the service in by a written exception alone. The live postbox is green.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import path from 'node:path'
import { promisify } from 'node:util'
import { addresses, Demo, removeVar, root, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, signedIn } from './lib/steps.mjs'

const console_ = 'http://localhost:8409'
const careless = 'http://localhost:8411'
const hubctl = path.join(root, 'bin', 'hubctl')
const wrong = ['state', 'logout_signature', 'logout_audience', 'logout_nonce', 'logout_event', 'logout_expired']

describe('pre-flights', { timeout: 240_000 }, () => {
  let browser, demo, varDir, env, hanako, taro

  before(async () => {
    varDir = await tempVar()
    env = { ...process.env, XDG_CONFIG_HOME: path.join(varDir, 'config'), TSUNAGU_HUB: console_ }
    demo = await new Demo(varDir).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  const invite = (name, role) => execFileSync(hubctl,
    ['operator', 'invite', '--database', `sqlite:${path.join(varDir, 'hub.db')}`, '--name', name, '--role', role], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

  async function arrive(label, card, code) {
    const who = await Citizen.arrive(browser, { label, locale: 'en-GB' })
    await who.open(console_ + '/login')
    await who.click('#card-login')
    await enterPIN(who, card)
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await who.page.locator(question).count()) await who.click(question)
    }
    await who.type('#code', code)
    await who.click('#join')
    await who.page.locator(signedIn).waitFor()
    return who
  }

  // logIn signs hubctl in with the code that it shows.
  async function logIn(who) {
    const tool = spawn(hubctl, ['login'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise((resolve) => tool.once('exit', resolve))
    const code = await new Promise((resolve, reject) => {
      let said = ''
      tool.stderr.setEncoding('utf8').on('data', (chunk) => {
        said += chunk
        const m = /type this code: (\S+)/.exec(said)
        if (m) resolve(m[1])
      })
      ended.then((status) => reject(new Error(`hubctl login ended (${status}): ${said}`)))
    })
    await who.open(addresses().hub + '/device')
    await who.type('#user_code', code)
    await who.click('#device-next')
    await who.click('#device-yes')
    for (let done = false; !done;) {
      const next = await who.page.locator('#card-login, input[name=pin], #open-folder, #consent-allow, #device-done').first()
      await next.waitFor({ state: 'attached' })
      const id = await next.getAttribute('id')
      if (id === 'device-done') done = true
      else if (await who.page.locator('input[name=pin]').count()) await enterPIN(who, 'hanako')
      else await who.click('#' + id)
    }
    assert.equal(await ended, 0)
  }

  // fly tries a service and returns the verdict on each thing that was tried.
  async function fly(who, service) {
    await who.open(`${console_}/clients/${service}/preflights`)
    await who.click('#start-preflight')
    await who.page.locator('[data-follow=done]').waitFor({ timeout: 90_000 })
    await who.see('[data-probe]', `preflight-${service}`)
    return Object.fromEntries(await who.page.locator('[data-probe]').evaluateAll((all) => all.map((e) => [e.dataset.probe, e.dataset.verdict])))
  }

  test('are red for the careless service, with what is wrong and nothing else', async () => {
    hanako = await arrive('preflight', 'hanako', invite('花子', 'editor,approver,security'))
    await logIn(hanako)
    const file = path.join(varDir, 'careless.json')
    await writeFile(file, JSON.stringify({
      client_id: 'careless', client_name: 'うっかりサービス', 'client_name#en': 'Careless Service', operator: '見本うっかり株式会社', description: '誤りを残した見本です。',
      'description#en': 'A sample with faults.', category: 'private', development: true, redirect_uris: [careless + '/callback'],
      post_logout_redirect_uris: [careless + '/signed-out'], backchannel_logout_uri: careless + '/logout/backchannel', initiate_login_uri: careless + '/login/initiate',
      grant_types: ['authorization_code'], response_types: ['code'], scope: 'openid', token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256', jwks_uri: careless + '/jwks.json', id_token_signed_response_alg: 'ES256', subject_type: 'pairwise',
    }))
    await promisify(execFile)(hubctl, ['client', 'apply', '-f', file, '--request'], { env })
    const found = await fly(hanako, 'careless')
    for (const [probe, verdict] of Object.entries(found)) {
      const want = wrong.includes(probe) ? 'error' : probe === 'tls' ? 'quiet' : 'ok'
      assert.equal(verdict, want, `${probe}: ${await hanako.page.locator(`[data-probe=${probe}]`).innerText()}`)
    }
    for (const probe of wrong) {
      assert.match(await hanako.page.locator(`[data-probe=${probe}]`).innerText(), /To change:/)
    }
    await hanako.page.locator('.banner-error').waitFor()
  })

  test('that are red let nothing go live but by a written exception of a second operator', async () => {
    await hanako.open(console_ + '/clients/careless/draft')
    assert.equal(await hanako.page.locator('#approve').count(), 0, 'who wrote it can approve it')
    taro = await arrive('preflight-second', 'taro', invite('太郎', 'approver'))
    await taro.open(console_ + '/clients/careless/draft')
    await taro.see('#approve', 'preflight-decide')
    assert.match(await taro.page.locator('#preflight-verdict').innerText(), /red|fail|wrong/i)
    await taro.click('#approve')
    await taro.see('main[data-error]', 'preflight-no-exception')
    await taro.open(console_ + '/clients/careless/draft')
    await taro.type('#exception', '見本としてだけ使い、市民は登録しないため')
    await taro.click('#approve')
    await taro.see('[role=status]', 'preflight-approved')
    await taro.open(console_ + '/clients/careless/versions/1')
    await taro.see('pre.document', 'preflight-version')
    assert.match(await taro.page.locator('main').innerText(), /見本としてだけ使い/, 'the exception is not told with the version')
  })

  test('are green for the live postbox', async () => {
    const found = await fly(hanako, 'postbox')
    assert.ok(Object.keys(found).length > 20)
    for (const [probe, verdict] of Object.entries(found)) {
      assert.equal(verdict, probe === 'tls' ? 'quiet' : 'ok', `${probe}: ${await hanako.page.locator(`[data-probe=${probe}]`).innerText()}`)
    }
    await hanako.page.locator('.banner-ok').waitFor()
  })
})
