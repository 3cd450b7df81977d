// What only a browser can show: a service that watches for the end of a
// sign-in from a page of another site, and services that are told of a
// sign-out by frames.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import https from 'node:https'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch, permissive } from './lib/citizen.mjs'
import { enterPIN } from './lib/steps.mjs'

const at = addresses(true)
const port = 8493
// Another site than the hub's, for the browser as well.
const watcher = `https://127.0.0.1:${port}`
const clientId = 'watcher'

// The service's page: the hub's frame, and a question to it by postMessage. What comes back is the title.
const watchPage = (frame, message) => `<!doctype html><title>waiting</title><script>
addEventListener('message', (e) => { if (e.origin === ${JSON.stringify(at.hub)}) document.title = e.data })
const ask = (f) => f.contentWindow.postMessage(${JSON.stringify(message)}, ${JSON.stringify(at.hub)})
</script><iframe src="${frame}" hidden onload="ask(this)"></iframe>`

describe('sign-out in a browser', { timeout: 300_000 }, () => {
  let browser, demo, varDir, service, metadata
  const told = []

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([{
      client_id: clientId, client_name: '見張りの試験', 'client_name#en': 'Watching test', operator: 'Test operator', development: true,
      redirect_uris: [`${watcher}/callback`], post_logout_redirect_uris: [`${watcher}/after`], frontchannel_logout_uri: `${watcher}/bye`,
      frontchannel_logout_session_required: true, scope: 'openid', token_endpoint_auth_method: 'none',
      initiate_login_uri: `${watcher}/start`,
    }]))
    demo = await new Demo(varDir, '-tls', '-clients', file).start()
    const own = (name) => readFile(path.join(varDir, 'demo', name))
    service = https.createServer({ cert: await own('server.pem'), key: await own('server.key') }, (req, res) => {
      const url = new URL(req.url, watcher)
      res.setHeader('Content-Type', 'text/html')
      res.setHeader('Cache-Control', 'no-store')
      if (url.pathname === '/bye') told.push(Object.fromEntries(url.searchParams))
      res.end(url.pathname === '/watch' ? watchPage(metadata.check_session_iframe, url.searchParams.get('message')) : '<!doctype html><title>service</title>')
    }).listen(port)
    browser = await launch()
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    metadata = await (await context.request.get(`${at.hub}/.well-known/openid-configuration`)).json()
    await context.close()
  })
  after(async () => {
    await browser?.close()
    service?.closeAllConnections()
    service?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  // signIn answers the authorization response and the ID token.
  async function signIn(who, card) {
    const verifier = randomBytes(32).toString('base64url')
    const redirect_uri = `${watcher}/callback`
    await who.open(`${at.hub}/authorize?` + new URLSearchParams({
      client_id: clientId, redirect_uri, response_type: 'code', scope: 'openid', state: 's', nonce: 'n',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
    }))
    await who.click('#card-login')
    await enterPIN(who, card)
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await who.page.locator(question).count()) await who.click(question)
    }
    const answer = new URL(who.page.url()).searchParams
    assert.ok(answer.get('code'), who.page.url())
    const tokens = await (await who.context.request.post(`${at.hub}/token`, {
      form: { grant_type: 'authorization_code', code: answer.get('code'), redirect_uri, code_verifier: verifier, client_id: clientId },
    })).json()
    return { sessionState: answer.get('session_state'), idToken: tokens.id_token }
  }

  async function frameSays(who, message, origin = watcher) {
    await who.open(`${origin}/watch?` + new URLSearchParams({ message }))
    await who.page.waitForFunction(() => document.title !== 'waiting')
    return who.page.title()
  }

  test('the frame says unchanged until the citizen signs out', async () => {
    const own = permissive(path.join(varDir, 'profile'))
    const taro = await Citizen.arrive(own, { label: 'watched', tls: true })
    try {
      const { sessionState } = await signIn(taro, 'taro')
      const message = `${clientId} ${sessionState}`
      assert.equal(await frameSays(taro, message), 'unchanged')
      assert.equal(await frameSays(taro, message, `https://localhost:${port}`), 'changed', 'another origin is answered as the service')
      for (const bad of ['', 'x', `${clientId} x`, `${clientId} ${sessionState} `]) assert.equal(await frameSays(taro, bad), 'error', bad)
      await taro.open(`${at.hub}/end-session`)
      await taro.click('#logout-confirm')
      assert.equal(await frameSays(taro, message), 'changed')
    } finally {
      await own.close()
    }
  })

  test('a browser that keeps our cookies from frames is answered with error', async () => {
    const taro = await Citizen.arrive(browser, { label: 'private', tls: true })
    try {
      const { sessionState } = await signIn(taro, 'taro')
      assert.equal(await frameSays(taro, `${clientId} ${sessionState}`), 'error')
    } finally {
      await taro.leave()
    }
  })

  for (const script of [true, false]) {
    test(`the service is told by the browser, and then gets the citizen back ${script ? 'by itself' : 'by a press'}`, async () => {
      const hanako = await Citizen.arrive(browser, { label: script ? 'told' : 'told-noscript', tls: true, script })
      try {
        const { idToken } = await signIn(hanako, 'hanako')
        const { sid } = JSON.parse(Buffer.from(idToken.split('.')[1], 'base64url'))
        told.length = 0
        await hanako.open(`${at.hub}/end-session?` + new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: `${watcher}/after`, state: 'back' }))
        if (!script) {
          await hanako.see('#signed-out-next', 'hub-signed-out-telling')
          await hanako.click('#signed-out-next')
        }
        await hanako.page.waitForURL(`${watcher}/after?state=back`)
        assert.deepEqual(told, [{ iss: at.hub, sid }])
        assert.deepEqual(hanako.violations, [])
      } finally {
        await hanako.leave()
      }
    })
  }

  test('the signed-out page says what is known of each service', async () => {
    const taro = await Citizen.arrive(browser, { label: 'asked', tls: true })
    try {
      await signIn(taro, 'taro')
      told.length = 0
      await taro.open(`${at.hub}/account`)
      await taro.see(`[data-launch="${clientId}"]`, 'hub-account')
      await taro.click(`[data-launch="${clientId}"]`)
      assert.equal(taro.page.url(), `${watcher}/start?` + new URLSearchParams({ iss: at.hub }))
      await taro.open(`${at.hub}/authorize?` + new URLSearchParams({
        client_id: clientId, redirect_uri: `${watcher}/callback`, response_type: 'code', scope: 'openid', prompt: 'select_account',
        code_challenge: 'a'.repeat(43), code_challenge_method: 'S256',
      }))
      await taro.see('#card-login', 'hub-login-select-account')
      await taro.open(`${at.hub}/end-session`)
      await taro.click('#logout-confirm')
      await taro.see(`[data-service="${clientId}"][data-state="asked"]`, 'hub-signed-out-asked')
      assert.equal(told.length, 1)
      await taro.open(`${at.hub}/end-session?id_token_hint=x`)
      await taro.see('main[data-error="logout_invalid"]', 'hub-logout-invalid')
    } finally {
      await taro.leave()
    }
  })
})
