// A citizen without a card reader signs in on a computer through a phone: two
// browsers that share nothing but the picture on the screen and the number
// beside it. The demo's card app stands for the one on the phone.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, refused, signedIn } from './lib/steps.mjs'

const at = addresses()
const strict = {
  client_id: 'strict', client_name: '見本年金', 'client_name#en': 'Sample Pension', operator: '見本年金機構', redirect_uris: ['http://localhost:8405/callback'],
  scope: 'openid', token_endpoint_auth_method: 'none', development: true, refuse_remote_card: true,
}

describe('a login through a phone', { timeout: 300_000 }, () => {
  let browser, demo, varDir

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([strict]))
    demo = await new Demo(varDir, '-clients', file).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  const arrive = (label, more) => Citizen.arrive(browser, { label, ...more })
  const qr = (pc) => pc.page.locator('#qr-address').innerText()
  const number = (pc) => pc.page.locator('#pairing-number').innerText()

  // shown opens the portal on a computer and asks for the QR code.
  async function shown(pc) {
    await pc.open(at.portal + '/')
    await pc.click('#sign-in')
    await pc.see('#phone-login', 'phone-login-ways')
    await pc.click('#phone-login')
    await pc.see('#qr', 'phone-login-qr')
  }

  async function scan(phone, pc) {
    await phone.open(await qr(pc))
    await phone.see('#phone-number', 'phone-scanned')
    await pc.see('#pairing-number', 'phone-login-number') // by itself
  }

  async function type(phone, text) {
    await phone.type('input[name=number]', text)
    await phone.click('#phone-number')
  }

  for (const [how, script] of [['with script', true], ['without script', false]]) {
    test(how, async () => {
      const pc = await arrive(script ? 'pc' : 'pc-plain', { script })
      const phone = await arrive(script ? 'phone' : 'phone-plain', { script })
      await shown(pc)
      await scan(phone, pc)
      await type(phone, '１')
      await phone.see(refused('number_malformed'), 'phone-slip')
      await type(phone, await number(pc))
      await phone.see('#phone-card', 'phone-matched')
      await pc.see('[data-pairing=matched]', 'phone-login-matched') // by itself
      await phone.click('#phone-card')
      await phone.see('input[name=pin]', 'phone-card-app')
      await enterPIN(phone, script ? 'taro' : 'phone')
      await phone.see('#phone-done', 'phone-signed')
      await pc.see('#phone-next', 'phone-login-whose') // by itself
      await pc.click('#phone-next')
      if (script) {
        await pc.see('#open-folder', 'phone-folder')
        await pc.click('#open-folder')
        await pc.click('#consent-allow')
      } // else it is the certificate on the phone of somebody who has a folder, and is asked nothing
      await pc.see(signedIn, 'phone-portal')
      await phone.open(at.hub + '/account')
      await phone.see('#card-login', 'phone-not-signed-in')
      await phone.open(at.hub + '/phone')
      await phone.see('#phone-done', 'phone-spent')
      await pc.open(at.hub + '/account')
      await pc.look('phone-account')
      assert.match(await pc.page.locator('main').innerText(), /スマートフォンで読み取ったカード/)
      if (script) { // the service wants a card on this device: the way through the phone is shown as not open
        await pc.open(`${at.hub}/authorize?` + new URLSearchParams({
          client_id: 'strict', redirect_uri: strict.redirect_uris[0], response_type: 'code', scope: 'openid',
          code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
        }))
        await pc.see('#phone-refused', 'phone-login-refused')
        assert.equal(await pc.page.locator('#phone-login').count(), 0)
      }
      await pc.leave()
      await phone.leave()
    })
  }

  test('a forwarded code, an old one, a second phone', async () => {
    const pc = await arrive('pc-forwarded')
    await shown(pc)
    const old = await qr(pc)
    const stranger = await arrive('stranger')
    await sleep(16_000)
    await stranger.open(old)
    await stranger.see(refused('qr_expired'), 'phone-qr-expired')
    const young = await qr(pc) // turned without the page being loaded anew
    assert.notEqual(young, old)
    const phone = await arrive('phone-first')
    await phone.open(young)
    await phone.page.locator('#phone-number').waitFor()
    await stranger.open(young)
    await stranger.see(refused('qr_used'), 'phone-qr-used')
    await pc.see('[data-pairing="scanned again"]', 'phone-login-second')
    await stranger.open(phone.page.url())
    await stranger.see(refused('other_browser'), 'phone-other-browser')
    for (const who of [pc, stranger, phone]) await who.leave()
  })

  test('a wrong number', async () => {
    const pc = await arrive('pc-wrong', { locale: 'en-US' })
    const phone = await arrive('phone-wrong', { locale: 'en-US' })
    await shown(pc)
    await scan(phone, pc)
    await type(phone, (await number(pc)) === '10' ? '11' : '10')
    await phone.see(refused('number_wrong'), 'phone-number-wrong')
    await pc.see(refused('number_wrong'), 'phone-login-number-wrong')
    await pc.leave()
    await phone.leave()
  })
})
