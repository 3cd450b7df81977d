// A citizen is told by mail of a sign-in in another browser, and ends it from
// the letter without signing in there.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, refused, signedIn } from './lib/steps.mjs'

const at = addresses()
const mailbox = 'http://127.0.0.1:8406/mail'
const home = 'taro@home.example'

describe('notices', { timeout: 120_000 }, () => {
  let browser, demo, varDir

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

  // letter asks the mail server again and again, as fast as answers come, for a link in a letter, and answers both.
  async function letter(link) {
    const start = performance.now()
    let all = []
    while (performance.now() - start < 20_000) {
      all = await (await fetch(mailbox, { headers: { accept: 'application/json' } })).json()
      for (const mail of all) {
        const found = link.exec(mail.text)
        if (found) return { ...mail, link: found[0] }
      }
    }
    assert.fail(`no letter with ${link}, but ${JSON.stringify(all, null, 1)}`)
  }

  test('a sign-in elsewhere is told by mail and ended from it', async () => {
    const own = await Citizen.arrive(browser, { label: 'notices-own' })
    const stranger = await Citizen.arrive(browser, { label: 'notices-stranger' })
    const anywhere = await Citizen.arrive(browser, { label: 'notices-anywhere', script: false, locale: 'en-GB' })

    await firstSignIn(own)
    await own.open(at.hub + '/account')
    await own.click('#open-notices')
    await own.see('[data-notice="sign-in"]', 'hub-notices')
    await own.click('#open-mail')
    await own.see('#notices-save', 'hub-notice-way')
    await own.type('#address', 'taro')
    await own.click('#notices-save')
    await own.see(refused('address_invalid'), 'hub-notice-way-wrong')
    await own.type('#address', home)
    await own.click('#notices-save')
    await own.see('[data-waiting]', 'hub-notices-waiting')

    const first = await letter(/http:\/\/localhost:8400\/account\/notices\/confirm\?proof=\S+/)
    assert.equal(first.to, home)
    await own.open(first.link)
    await own.see('#notices-confirm', 'hub-notice-confirm')
    await own.click('#notices-confirm')
    await own.see('[data-live]', 'hub-notices-live')
    await own.open(first.link)
    await own.see(refused('address_not_waiting'), 'hub-notice-confirm-over')

    await stranger.open(at.hub + '/account')
    await stranger.click('#card-login')
    await enterPIN(stranger)
    await stranger.page.locator(signedIn).waitFor({ state: 'attached' })

    const told = await letter(/http:\/\/localhost:8400\/not-me\/\S+/)
    assert.equal(told.to, home)
    assert.match(told.text, /新しいブラウザーでログインがありました/)
    await anywhere.open(told.link)
    await anywhere.see('#not-me', 'hub-not-me')
    await stranger.open(at.hub + '/account')
    assert.equal(await stranger.page.locator(signedIn).count(), 1, 'looking at the page ended the session')
    await anywhere.click('#not-me')
    await anywhere.see('[data-disowned="ended"]', 'hub-not-me-done')

    await stranger.open(at.hub + '/account')
    await stranger.page.locator('#card-login').waitFor({ state: 'attached' })
    await own.open(at.hub + '/account/notices')
    await own.see('[data-notice="disowned"]', 'hub-notices-disowned')

    // The mailbox is for people too.
    await own.open(mailbox)
    assert.equal(await own.page.locator('article').count(), (await (await fetch(mailbox, { headers: { accept: 'application/json' } })).json()).length)
  })
})
