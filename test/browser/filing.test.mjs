// The day a signature is for: taro comes to e-Tax, ties his account, makes a return, signs it with the card and has a receipt. On the way he
// stops once, is away for too long once, and loses nothing. What he downloads is verified by software that is not ours.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import * as jose from 'jose'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { draftReturn, enterPIN, etaxAccount, signedIn, signReturn, toSignReturn } from './lib/steps.mjs'

const at = addresses()

for (const script of [true, false]) {
  describe(`a signed return with script ${script ? 'on' : 'off'}`, { timeout: 300_000 }, () => {
    let browser, demo, varDir, taro, receipt, page

    before(async () => {
      varDir = await tempVar()
      demo = await new Demo(varDir).start()
      browser = await launch()
      taro = await Citizen.arrive(browser, { script, label: script ? 'filing' : 'filing-noscript' })
    })
    after(async () => {
      await browser?.close()
      await demo?.stop()
      await removeVar(varDir)
    })

    test('comes to e-Tax with the card and ties the account', async () => {
      await taro.open(at.etax + '/')
      await taro.click('#sign-in')
      await taro.see('#card-login', 'hub-login')
      await taro.click('#card-login')
      await enterPIN(taro)
      await taro.click('#open-folder')
      await taro.see('#consent-allow', 'hub-consent')
      await taro.click('#consent-allow')
      await taro.see('#bind', 'etax-bind')
      await taro.type('input[name=number]', etaxAccount.number)
      await taro.type('input[name=password]', etaxAccount.password)
      await taro.click('#bind')
      await taro.see('#new-return', 'etax-home')
    })

    test('is away too long in the middle of the form, and finds it as it was', async () => {
      await taro.click('#new-return')
      await taro.type('input[name=salary]', '4,000,000')
      await taro.type('input[name=withheld]', '98,700')
      await taro.context.clearCookies() // the sessions here and at the hub are over
      await taro.click('#return-check')
      await taro.see('#card-login', 'hub-login-again')
      await taro.click('#card-login')
      await enterPIN(taro)
      await taro.see('#kept', 'etax-return-kept')
      assert.equal(await taro.page.locator('input[name=salary]').inputValue(), '4,000,000')
      assert.equal(await taro.page.locator('input[name=withheld]').inputValue(), '98,700')
      await taro.open(at.etax + '/home')
    })

    test('stops at the hub: nothing is sent, and the return is still there', async () => {
      await draftReturn(taro)
      await toSignReturn(taro)
      await taro.click('#sign-stop')
      await taro.see('#stopped', 'etax-return-stopped')
      assert.ok(await taro.page.locator('#return-send').count())
    })

    test('signs, and has a receipt', async () => {
      const shown = await taro.page.locator('#fingerprint').innerText()
      await toSignReturn(taro)
      assert.ok((await taro.page.locator('main').innerText()).includes(shown), 'the hub shows another fingerprint')
      await signReturn(taro, 'taro')
      await taro.see('#accepted', 'etax-return-accepted')
      page = new URL(taro.page.url())
      receipt = (await taro.page.locator('#accepted').innerText()).match(/\d{20}/)[0]
      await taro.page.goBack()
      await taro.open(page.origin + page.pathname)
      await taro.see(signedIn, 'etax-return-filed')
      assert.ok((await taro.page.locator('main').innerText()).includes(receipt))
      await taro.open(at.etax + '/home')
      await taro.see('#new-return', 'etax-home-filed')
      assert.ok((await taro.page.locator('main').innerText()).includes(receipt))
    })

    test('what he downloads proves what was filed', async () => {
      const get = async (what) => (await taro.context.request.get(`${page.origin}${page.pathname}/${what}`)).body()
      const document = await get('document')
      const jws = (await get('signature')).toString()
      const pem = `-----BEGIN CERTIFICATE-----\n${jose.decodeProtectedHeader(jws).x5c[0]}\n-----END CERTIFICATE-----`
      const { payload } = await jose.compactVerify(jws, await jose.importX509(pem, 'RS256'))
      const statement = JSON.parse(new TextDecoder().decode(payload))
      assert.equal(statement.document.digest, createHash('sha256').update(document).digest('base64url'))
      assert.ok(document.toString().includes('給与の収入金額：5,000,000円'))
    })

    test('survives the end of the program', async () => {
      await demo.stop('SIGKILL')
      demo = await new Demo(varDir).start()
      await taro.open(page.origin + page.pathname)
      await taro.see(signedIn, 'etax-return-after-restart')
      assert.ok((await taro.page.locator('main').innerText()).includes(receipt))
    })

    test('is in his list at the hub', async () => {
      await taro.open(at.hub + '/account')
      await taro.click('#open-signatures')
      await taro.see('[data-signed]', 'hub-signatures')
      assert.equal(await taro.page.locator('[data-signed]').count(), 1)
      assert.ok((await taro.page.locator('[data-signed]').innerText()).includes('確定申告書'))
    })
  })
}
