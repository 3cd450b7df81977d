// The day this project exists for: sign in once with the card, tie e-Tax once,
// and from then on be at e-Tax with one press.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch, screenshots } from './lib/citizen.mjs'
import { firstSignIn, launchETax, linkETax, signedIn, signIn, toCardApp } from './lib/steps.mjs'

const at = addresses()
const mostActionsToPortal = 8
const mostActionsToETax = 1

for (const script of [true, false]) {
  describe(`a citizen's day with script ${script ? 'on' : 'off'}`, { timeout: 300_000 }, () => {
    let browser, demo, varDir, taro

    before(async () => {
      varDir = await tempVar()
      demo = await new Demo(varDir).start()
      browser = await launch()
      taro = await Citizen.arrive(browser, { script, label: script ? 'script' : 'noscript' })
    })
    after(async () => {
      await browser?.close()
      await demo?.stop()
      await removeVar(varDir)
      console.log(`pictures of every page: ${screenshots}`)
    })

    // neither the portal nor the hub knows this browser any more
    async function isSignedOut(how) {
      await taro.open(at.portal + '/')
      await taro.see('#sign-in', `portal-after-${how}`)
      assert.equal(await taro.page.locator(signedIn).count(), 0, 'still signed in at the portal')
      await taro.click('#sign-in')
      await taro.see('#card-login', `hub-login-after-${how}`)
    }

    test('signs in at the portal for the first time', async () => {
      const actions = await taro.count(() => firstSignIn(taro))
      console.log(`script ${script ? 'on' : 'off'}: first sign-in at the portal: ${actions} actions`)
      assert.ok(actions <= mostActionsToPortal, `${actions} actions, at most ${mostActionsToPortal}`)
      assert.ok(taro.page.url().startsWith(at.portal))
    })

    test('ties the e-Tax account once', async () => {
      const actions = await taro.count(() => linkETax(taro))
      console.log(`script ${script ? 'on' : 'off'}: tying e-Tax once: ${actions} actions`)
      assert.ok(taro.page.url().startsWith(at.etax))
    })

    test('sees the link at the portal, and opens e-Tax with one press', async () => {
      await taro.open(at.portal + '/')
      await taro.see('[data-launch="etax"]', 'portal-home-linked')
      assert.equal(await taro.count(() => launchETax(taro)), 1)
    })

    test('signs out at the portal, and with it at the hub', async () => {
      await taro.open(at.portal + '/')
      await taro.click('#sign-out')
      await taro.see('#logout-confirm', 'hub-sign-out')
      await taro.click('#logout-confirm')
      await taro.look('portal-signed-out')
      assert.ok(taro.page.url().startsWith(at.portal), 'not back at the portal')
      await isSignedOut('sign-out')
    })

    test('signs in again and opens e-Tax with no question on the way', async () => {
      const actions = await taro.count(() => signIn(taro))
      console.log(`script ${script ? 'on' : 'off'}: signing in again: ${actions} actions`)
      const seen = taro.shown.length
      const documents = []
      const note = (r) => r.request().isNavigationRequest() && r.status() < 300 && documents.push(r.url())
      taro.page.on('response', note)
      const toETax = await taro.count(() => launchETax(taro, 'etax-second-visit'))
      taro.page.off('response', note)
      console.log(`script ${script ? 'on' : 'off'}: second visit to e-Tax: ${toETax} action`)
      assert.ok(toETax <= mostActionsToETax)
      assert.deepEqual(documents.map((u) => new URL(u).origin), [at.etax], `pages shown on the way: ${documents}`)
      assert.ok(taro.shown.slice(seen).every((p) => !p.password), 'a password field on the way')
    })

    test('signs out everywhere from the account page', async () => {
      await taro.open(at.hub + '/account')
      await taro.look('hub-account')
      await taro.click('a[href="/account/sign-out-everywhere"]')
      await taro.see('#signout-everywhere', 'hub-sign-out-everywhere')
      await taro.click('#signout-everywhere')
      await taro.look('hub-signed-out-everywhere')
      await isSignedOut('everywhere')
    })

    test('is asked at the hub when no service speaks for the session', async () => {
      await signIn(taro)
      await taro.open(at.hub + '/end-session')
      await taro.see('#logout-cancel', 'hub-sign-out-question')
      await taro.click('#logout-cancel')
      await taro.open(at.portal + '/')
      await taro.see(signedIn, 'portal-after-sign-out-cancelled')
      await taro.open(at.hub + '/end-session')
      await taro.click('#logout-confirm')
      await taro.look('hub-signed-out')
      await taro.open(at.hub + '/account')
      await taro.see('#card-login', 'hub-login-after-end-session')
    })

    test('cancels at the hub and is back at the portal', async () => {
      await taro.context.clearCookies()
      await taro.open(at.portal + '/')
      await taro.click('#sign-in')
      await taro.see('#login-cancel', 'hub-login-to-cancel')
      await taro.click('#login-cancel')
      await taro.page.waitForURL((u) => u.origin === at.portal)
      await taro.look('portal-after-cancel')
      assert.equal(await taro.page.locator(signedIn).count(), 0)
    })

    test('cancels in the card app and is asked again', async () => {
      await toCardApp(taro)
      await taro.click('#pin-cancel')
      await taro.look('after-card-app-cancel')
      assert.equal(await taro.page.locator(signedIn).count(), 0)
    })

    test('every page has a title of its own', () => {
      const paths = new Map()
      for (const { path, title } of taro.shown) {
        if (!paths.has(title)) paths.set(title, new Set())
        paths.get(title).add(path)
      }
      for (const [title, where] of paths) assert.equal(where.size, 1, `${title} stands over ${[...where]}`)
    })
  })
}
