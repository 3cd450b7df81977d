// What is refused, as the citizen sees it: a page with the reason, what it
// means and what to do next.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, beforeEach, afterEach, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, refused, signedIn, toCardApp } from './lib/steps.mjs'

const at = addresses()

describe('refusals', { timeout: 300_000 }, () => {
  let browser, demo, varDir, who

  before(async () => {
    varDir = await tempVar()
    demo = await new Demo(varDir).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })
  beforeEach(async () => { who = await Citizen.arrive(browser, { label: 'refused' }) })
  afterEach(() => who?.leave())

  // isRefused sees the reason, an error title, and what happened followed by
  // what to do: a way on, or in words where there must be none from here.
  async function isRefused(citizen, reason) {
    await citizen.see(refused(reason), reason)
    assert.match(await citizen.page.title(), /^エラー：/, 'the title says that it is an error')
    const main = citizen.page.locator('main')
    const ways = await main.locator('a[href], button').count()
    const said = await main.locator('h1 ~ p, section > p').count()
    assert.ok(ways > 0 || said > 1, 'the page says what to do next')
    assert.equal(await citizen.page.locator(signedIn).count(), 0)
  }

  async function isNotSignedIn(citizen) {
    await citizen.open(at.portal + '/')
    assert.equal(await citizen.page.locator(signedIn).count(), 0, 'signed in at the portal all the same')
  }

  test('wrong PIN says how many tries are left, and the right one goes on', async () => {
    await toCardApp(who)
    await enterPIN(who, 'hanako', '9999')
    await isRefused(who, 'pin_wrong')
    assert.match(await who.page.locator('main').innerText(), /あと2回/)
    await enterPIN(who, 'hanako')
    await who.see('#open-folder', 'hub-folder-after-wrong-pin')
  })

  test('a PIN that is not four digits never reaches the card', async () => {
    await toCardApp(who)
    await enterPIN(who, 'hanako', '12')
    await who.page.locator('input[name=pin][aria-invalid=true], main[data-error]').first().waitFor()
    await who.look('pin-not-four-digits')
    await enterPIN(who, 'hanako', '9999')
    await isRefused(who, 'pin_wrong')
    assert.match(await who.page.locator('main').innerText(), /あと2回/, 'the malformed PIN cost a try')
    await enterPIN(who, 'hanako')
  })

  test('blocked PIN', async () => {
    await toCardApp(who)
    await enterPIN(who, 'blocked')
    await isRefused(who, 'pin_locked')
    await isNotSignedIn(who)
  })

  test('expired certificate', async () => {
    await toCardApp(who)
    await enterPIN(who, 'expired')
    await isRefused(who, 'cert_expired')
    await isNotSignedIn(who)
  })

  test('revoked certificate', async () => {
    await toCardApp(who)
    await enterPIN(who, 'revoked')
    await isRefused(who, 'cert_revoked')
    await isNotSignedIn(who)
  })

  test('session fixation: a challenge of another browser', async () => {
    await toCardApp(who)
    const victim = await Citizen.arrive(browser, { label: 'refused-victim' })
    try {
      await victim.open(who.page.url())
      await victim.see('input[name=pin]', 'card-app-of-another-browser')
      await enterPIN(victim, 'taro')
      await isRefused(victim, 'other_browser')
      await isNotSignedIn(victim)
      await isNotSignedIn(who)
    } finally {
      await victim.leave()
    }
  })

  test('return code used twice', async () => {
    await firstSignIn(who, 'taro')
    const used = who.requests.find((u) => u.startsWith(`${at.hub}/login/return?code=`))
    assert.ok(used, 'no return code was seen')
    await who.open(used)
    await isRefused(who, 'return_used')
  })

  test('return code nobody gave out', async () => {
    await toCardApp(who)
    await who.open(`${at.hub}/login/return?code=${'A'.repeat(43)}`)
    await isRefused(who, 'return_unknown')
  })

  test('a service the hub does not know', async () => {
    await who.open(`${at.hub}/authorize?response_type=code&client_id=nobody&redirect_uri=https%3A%2F%2Fevil.example%2F`)
    await isRefused(who, 'unknown_client')
    assert.ok(who.page.url().startsWith(at.hub), 'was sent to an address nobody registered')
  })

  test('a return address the service did not register', async () => {
    await who.open(`${at.hub}/authorize?response_type=code&client_id=etax&redirect_uri=https%3A%2F%2Fevil.example%2F`)
    await isRefused(who, 'redirect_uri_mismatch')
    assert.ok(who.page.url().startsWith(at.hub), 'was sent to an address nobody registered')
  })

  test('a page that does not exist', async () => {
    await who.open(`${at.hub}/no-such-page`)
    await isRefused(who, 'not_found')
  })

  test('the card app refuses a hub it does not trust', async () => {
    await who.open(`${at.agent}/login?challenge=${encodeURIComponent('http://localhost:9/card/challenges/x')}`)
    await isRefused(who, 'issuer_untrusted')
    assert.equal(await who.page.locator('input[name=pin]').count(), 0, 'asks for the PIN all the same')
  })

  test('the card app refuses a foreign Host', async () => {
    const { status, body } = await new Promise((resolve, reject) => {
      http.get(`${at.agent}/login?challenge=x`, { headers: { host: 'evil.example:8404' } }, (res) => {
        let body = ''
        res.setEncoding('utf8').on('data', (s) => { body += s }).on('end', () => resolve({ status: res.statusCode, body }))
      }).on('error', reject)
    })
    assert.ok([403, 421].includes(status), `status ${status}`)
    assert.match(body, /data-error="foreign_host"/)
  })

  test('e-Tax refuses a wrong password and ties nothing', async () => {
    await firstSignIn(who, 'taro-renewed').catch(() => {}) // the same person as taro: the folder is open already
    await who.open(at.portal + '/')
    await who.see(signedIn, 'portal-home-renewed')
    await who.click('[data-link="etax"]')
    await who.see('#consent-allow', 'hub-consent-etax-refused')
    await who.click('#consent-allow')
    await who.see('#bind', 'etax-bind-refused')
    await who.type('input[name=number]', '1234567890123456')
    await who.type('input[name=password]', 'wrong')
    await who.click('#bind')
    await who.page.locator('main[data-error], [data-error-summary]').first().waitFor({ state: 'attached' })
    await who.look('etax-wrong-password')
    assert.equal(await who.page.locator(signedIn).count(), 0)
  })
})
