// A passkey, in Chromium with a virtual authenticator: made after a card
// login, used instead of the card, refused where the card is asked for, named
// and removed.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, refused, signedIn } from './lib/steps.mjs'

const at = addresses()
const port = 8495
const service = `http://127.0.0.1:${port}`
const clientId = 'level-test'
const passkeys = `${at.hub}/account/passkeys`

// authenticator gives the citizen's browser one that is built in, asks nothing and says that it has checked its user.
async function authenticator(who) {
  const cdp = await who.context.newCDPSession(who.page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true,
    },
  })
  return {
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    verifies: (isUserVerified) => cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
  }
}

describe('a passkey', { timeout: 300_000 }, () => {
  let browser, demo, varDir, server

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([{
      client_id: clientId, client_name: '段階の試験', 'client_name#en': 'Level test', operator: 'Test operator', development: true,
      redirect_uris: [`${service}/callback`], scope: 'openid', token_endpoint_auth_method: 'none',
    }]))
    server = http.createServer((req, res) => res.end('<!doctype html><title>service</title>')).listen(port)
    demo = await new Demo(varDir, '-clients', file).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  // asks goes to the hub as the service does; answered returns what the ID token says.
  let verifier
  async function asks(who, more) {
    verifier = randomBytes(32).toString('base64url')
    await who.open(`${at.hub}/authorize?` + new URLSearchParams({
      client_id: clientId, redirect_uri: `${service}/callback`, response_type: 'code', scope: 'openid', state: 's', nonce: 'n',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
    }))
  }
  async function answered(who) {
    if (await who.page.locator('#consent-allow').count()) await who.click('#consent-allow')
    const code = new URL(who.page.url()).searchParams.get('code')
    assert.ok(code, who.page.url())
    const tokens = await (await who.context.request.post(`${at.hub}/token`, {
      form: { grant_type: 'authorization_code', client_id: clientId, code, redirect_uri: `${service}/callback`, code_verifier: verifier },
    })).json()
    return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'))
  }

  async function signOut(who) {
    await who.open(`${at.hub}/end-session`)
    await who.click('#logout-confirm')
    await who.see('h1', 'passkey-signed-out')
  }

  // toPasskey goes from the portal's front page to the hub, and presses the button.
  async function toPasskey(who) {
    await who.open(at.portal + '/')
    await who.click('#sign-in')
    await who.see('#passkey-login', 'passkey-hub-login')
    await who.page.locator('#passkey-login').click()
  }

  test('made after a card login, used, asked beyond, renamed, removed', async () => {
    const who = await Citizen.arrive(browser, { label: 'passkey' })
    try {
      const device = await authenticator(who)
      await firstSignIn(who)
      await asks(who, { acr_values: 'phrh' })
      const byCard = await answered(who)
      assert.equal(byCard.acr, 'phrh')

      await who.open(`${at.hub}/account`)
      await who.click('#open-passkeys')
      await who.see('#passkey-add', 'passkeys-none')
      await who.click('#passkey-add')
      await who.see('#passkey-go', 'passkey-new')
      assert.match(await who.page.locator('#name').inputValue(), /Chrome/, 'no name is suggested')
      await device.verifies(false)
      await who.page.locator('#passkey-go').click()
      await who.page.locator('#passkey-failed').waitFor({ state: 'visible' })
      await who.look('passkey-new-failed')
      await device.verifies(true)
      await who.type('#name', '家の <b>パソコン</b>')
      await who.click('#passkey-go')
      await who.see('[data-passkey]', 'passkeys-added')
      assert.equal(await who.page.locator('[data-passkey] .item-title').first().innerText(), '家の <b>パソコン</b>')
      const [made] = await device.credentials()
      assert.ok(made.isResidentCredential && made.rpId === 'localhost')

      await who.open(`${passkeys}/new`)
      await who.page.locator('#passkey-go').click()
      await who.page.locator('#passkey-excluded').waitFor({ state: 'visible' })
      await who.look('passkey-excluded')

      await signOut(who)
      await device.verifies(false)
      await toPasskey(who)
      await who.page.locator('#passkey-failed').waitFor({ state: 'visible' })
      await who.look('passkey-login-failed')
      await device.verifies(true)
      await who.click('#passkey-go')
      await who.see(signedIn, 'passkey-portal')
      await asks(who, {})
      const byPasskey = await answered(who)
      assert.equal(byPasskey.acr, 'phr')
      assert.deepEqual(byPasskey.amr, ['pop', 'user', 'mfa'])
      assert.equal(byPasskey.sub, byCard.sub)

      await asks(who, { acr_values: 'phrh' })
      await who.see('#card-login', 'passkey-stepup')
      assert.equal(await who.page.locator('#passkey-login').count(), 0, 'the passkey is offered where the card is asked for')
      await who.click('#card-login')
      await enterPIN(who)
      assert.equal((await answered(who)).acr, 'phrh')

      await who.open(passkeys)
      await who.click('[data-rename]')
      await who.see('#passkey-rename', 'passkey-name')
      await who.type('#name', '')
      await who.click('#passkey-rename')
      await who.see(refused('passkey_name'), 'passkey-name-wrong')
      await who.type('#name', '家のパソコン')
      await who.click('#passkey-rename')
      await who.see('[data-passkey]', 'passkeys-renamed')

      await signOut(who)
      await toPasskey(who) // without a press: the page asks by itself
      await who.see(signedIn, 'passkey-portal-again')
      await who.open(`${at.hub}/account`)
      await who.see('[data-passkey]', 'passkey-account')
      await who.open(passkeys)
      await who.click('[data-remove]')
      await who.see('#passkey-remove', 'passkey-remove')
      await who.click('#passkey-remove')
      await who.see('h1', 'passkey-removed-signed-out')
      await who.open(`${at.hub}/account`)
      await who.see('#card-login', 'passkey-after-removal')

      assert.equal((await device.credentials()).length, 1, 'the device has forgotten it')
      await toPasskey(who)
      await who.see(refused('passkey_unknown'), 'passkey-unknown')
      await who.click('#card-login')
      await who.see('input[name=pin]', 'passkey-card-app')
    } finally {
      await who.leave()
    }
  })

  test('stays where the card is too long ago or the passkey made the session', async () => {
    const who = await Citizen.arrive(browser, { label: 'passkey-english', locale: 'en-GB' })
    try {
      const device = await authenticator(who)
      await firstSignIn(who, 'hanako')
      await who.open(`${passkeys}/new`)
      await who.see('#passkey-go', 'passkey-new')
      await who.click('#passkey-go')
      await who.see('[data-passkey]', 'passkeys')
      await signOut(who)
      await toPasskey(who)
      await who.see(signedIn, 'portal')
      await who.open(`${passkeys}/new`)
      await who.see('#card-login', 'passkey-new-needs-card')
      assert.equal(await who.page.locator('#passkey-login, #phone-login').count(), 0)
      assert.equal((await device.credentials()).length, 1)
    } finally {
      await who.leave()
    }
  })

  test('without script the card is offered', async () => {
    const who = await Citizen.arrive(browser, { label: 'passkey-plain', script: false })
    try {
      await who.open(`${at.hub}/account`)
      await who.click('#passkey-login')
      await who.see('noscript, #passkey', 'passkey-login')
      assert.equal(await who.page.locator('#passkey-go').isVisible(), false)
      assert.match(await who.page.locator('main').innerText(), /JavaScript/)
      await who.click('#card-login')
      await who.see('input[name=pin]', 'card-app')
    } finally {
      await who.leave()
    }
  })
})
