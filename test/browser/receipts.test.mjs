// A citizen signs out everywhere and sees what became of it, without script
// and without pressing anything again: with a service that is away meanwhile,
// with a hub that is killed, and with a service that nobody can reach and that
// looks by itself.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { inflateSync } from 'node:zlib'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, linkETax, signIn } from './lib/steps.mjs'

const at = addresses()
const faults = 'http://127.0.0.1:8406/faults'
// The hub may reach nothing there: only a citizen's browser is sent behind those walls.
const walled = { id: 'walled', redirect: 'http://127.0.0.1:8499/callback' }

describe('receipts', { timeout: 180_000 }, () => {
  let browser, demo, varDir, taro, inside

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([{
      client_id: walled.id, client_name: '壁の中の試験', 'client_name#en': 'Walled test', operator: 'Test operator', development: true,
      redirect_uris: [walled.redirect], scope: 'openid', token_endpoint_auth_method: 'none', status_list_logout: true,
    }]))
    demo = await new Demo(varDir, '-clients', file).start()
    inside = http.createServer((_, res) => res.setHeader('Content-Type', 'text/html').end('<!doctype html><title>walled</title>')).listen(8499)
    browser = await launch()
    taro = await Citizen.arrive(browser, { label: 'receipts', script: false })
    await firstSignIn(taro)
    await linkETax(taro)
    await openPostbox()
  })
  after(async () => {
    await browser?.close()
    inside?.closeAllConnections()
    inside?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  async function openPostbox() {
    await taro.open(at.postbox + '/')
    await taro.click('#sign-in')
    if (await taro.page.locator('#consent-allow').count()) await taro.click('#consent-allow')
    assert.ok(taro.page.url().startsWith(at.postbox), taro.page.url())
  }

  // enterAll is in all three again.
  async function enterAll() {
    await signIn(taro)
    await taro.click('[data-launch="etax"]')
    await openPostbox()
  }

  // signOutEverywhere presses the buttons. A page that goes on is never loaded to its end, so what is waited for is its words.
  async function signOutEverywhere() {
    await taro.open(at.hub + '/account/sign-out-everywhere')
    await taro.page.locator('#signout-everywhere').click({ noWaitAfter: true })
    await taro.page.locator('.snapshot').first().waitFor()
    return taro.page.url()
  }

  const line = (service, state) => taro.page.locator(`[data-service="${service}"][data-state="${state}"]:visible`)
  const order = async (what) => {
    const { status } = await fetch(`${faults}/${what}`, { method: 'POST' })
    assert.equal(status, 204, what)
  }

  // shows waits until the page, of itself, shows these states and no others.
  async function shows(states) {
    for (const [service, state] of Object.entries(states)) await line(service, state).waitFor()
    assert.equal(await taro.page.locator('[data-service]:visible').count(), Object.keys(states).length)
  }

  const all = { portal: 'confirmed', etax: 'confirmed', postbox: 'confirmed' }

  test('three services confirm', async () => {
    await signOutEverywhere()
    await shows(all)
    await taro.look('hub-signed-out-confirmed')
    await taro.open(at.etax + '/home')
    assert.ok(taro.page.url().startsWith(at.hub), 'still signed in at e-Tax')
  })

  test('a service that is away is still being told, and the page turns by itself when it is back', async () => {
    await enterAll()
    await order('etax/down')
    await signOutEverywhere()
    await shows({ ...all, etax: 'pending' })
    const { page } = taro
    assert.match(await page.locator('.snapshot:visible').innerText(), /3件のサービスのうち、2件がログアウトを確認しました/)
    const [results, footer] = await Promise.all(['.late', 'footer'].map((s) => page.locator(s).boundingBox()))
    assert.ok(results.y + results.height <= footer.y, 'the results stand below the footer')
    let asked = 0
    page.on('request', (r) => { asked += r.isNavigationRequest() ? 1 : 0 })
    await pictures('hub-signed-out-telling')
    await sameWithScript('hub-signed-out-telling')
    await order('etax/up')
    await shows(all)
    assert.match(await page.locator('.snapshot:visible').innerText(), /3件のサービスのうち、3件がログアウトを確認しました/)
    assert.equal(asked, 0, 'the page was asked for again')
    await taro.look('hub-signed-out-told')
  })

  test('the hub is killed meanwhile, and loses nothing', async () => {
    await enterAll()
    await order('etax/down')
    const page = await signOutEverywhere()
    await shows({ ...all, etax: 'pending' })
    demo.flags.push('-shut', 'etax')
    await demo.restart('SIGKILL')
    await taro.page.goto(page, { waitUntil: 'commit' })
    await shows({ ...all, etax: 'pending' })
    await order('etax/up')
    await shows(all)
    taro.violations.length = 0 // the connection that was cut
    await signIn(taro)
    await taro.open(at.hub + '/account')
    assert.equal(await taro.page.locator('[data-service="etax"][data-state="confirmed"]').count(), 1)
  })

  test('a stop does not wait for a page that goes on', async () => {
    await taro.open(at.portal + '/')
    await taro.click('[data-launch="etax"]')
    await order('etax/down')
    await signOutEverywhere()
    await line('etax', 'pending').waitFor()
    const begun = Date.now()
    const { code } = await demo.restart('SIGINT')
    assert.equal(code, 0)
    console.log(`stopped and started again in ${Date.now() - begun} ms with a page open`)
    await order('etax/up')
  })

  // What pictures does for a page that is never loaded to its end.
  async function pictures(name) {
    for (const width of [360, 1280]) {
      await taro.page.setViewportSize({ width, height: 800 })
      await taro.page.screenshot({ path: path.join(import.meta.dirname, 'screenshots', `receipts-${name}-${width}.png`) })
    }
  }

  // sameWithScript opens the page in a browser where axe can look at it.
  async function sameWithScript(name) {
    const other = await Citizen.arrive(browser, { label: 'receipts-script' })
    try {
      await other.context.addCookies(await taro.context.cookies())
      await other.page.goto(taro.page.url(), { waitUntil: 'commit' })
      await other.page.locator('[data-state="pending"]:visible').waitFor()
      await other.axe(name)
      assert.deepEqual(other.violations, [])
    } finally {
      await other.leave()
    }
  }

  test('a service behind a wall learns of it by one request of its own', async () => {
    const keys = createRemoteJWKSet(new URL(`${at.hub}/jwks`))
    const verifier = randomBytes(32).toString('base64url')
    const hanako = await Citizen.arrive(browser, { label: 'walled', script: false })
    try {
      await hanako.open(`${at.hub}/authorize?` + new URLSearchParams({
        client_id: walled.id, redirect_uri: walled.redirect, response_type: 'code', scope: 'openid', nonce: 'n',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
      }))
      await hanako.click('#card-login')
      await enterPIN(hanako, 'hanako')
      for (const question of ['#open-folder', '#consent-allow']) {
        if (await hanako.page.locator(question).count()) await hanako.click(question)
      }
      const code = new URL(hanako.page.url()).searchParams.get('code')
      const tokens = await (await fetch(`${at.hub}/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: walled.redirect, code_verifier: verifier, client_id: walled.id }),
      })).json()
      const { payload } = await jwtVerify(tokens.id_token, keys, { issuer: at.hub, audience: walled.id })
      const { idx, uri } = payload.status.status_list

      // One outbound GET, whose answer a library that knows nothing of the hub verifies.
      const ended = async () => {
        const res = await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } })
        assert.equal(res.headers.get('content-type'), 'application/statuslist+jwt')
        assert.match(res.headers.get('cache-control'), /^public, max-age=\d+$/)
        const list = await jwtVerify(await res.text(), keys, { issuer: at.hub, subject: uri, typ: 'statuslist+jwt', requiredClaims: ['iat', 'exp', 'ttl'] })
        const bytes = inflateSync(Buffer.from(list.payload.status_list.lst, 'base64url'))
        assert.equal(list.payload.status_list.bits, 1)
        return (bytes[idx >> 3] >> (idx & 7)) & 1
      }
      assert.equal(await ended(), 0)
      await hanako.open(`${at.hub}/end-session`)
      await hanako.click('#logout-confirm')
      assert.equal(await ended(), 1)
      await hanako.see(`[data-service="${walled.id}"][data-state="looks"]`, 'hub-signed-out-looks')
      assert.equal(decodeJwt(tokens.id_token).sid, undefined, 'the position is all that tells its sessions apart')
    } finally {
      await hanako.leave()
    }
  })
})
