// Sessions as a citizen sees them: two devices of which one ends the other, a
// shared computer without script that warns before the end, and a service for
// which the card is asked each time.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, signedIn } from './lib/steps.mjs'

const at = addresses()

describe('sessions', { timeout: 120_000 }, () => {
  let browser, demo, varDir

  before(async () => {
    varDir = await tempVar()
    demo = await new Demo(varDir, '-session-shared-idle', '40s', '-session-warn', '30s').start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  test('one device ends another, and the card is asked for each time', async () => {
    const desk = await Citizen.arrive(browser, { label: 'desk' })
    const library = await Citizen.arrive(browser, { label: 'library', script: false })
    try {
      await firstSignIn(desk)

      // The shared computer: chosen before signing in, said on every page.
      await library.open(at.portal + '/')
      await library.click('#sign-in')
      await library.see('#shared-begin', 'hub-login-choice')
      await library.click('#shared-begin')
      await library.see('[data-shared]', 'hub-login-shared')
      await library.click('#card-login')
      await enterPIN(library)
      await library.see(signedIn, 'portal-home')
      await library.open(at.hub + '/account')
      await library.see('#shared-sign-out', 'hub-account-shared')
      const cookies = await library.context.cookies(at.hub)
      assert.deepEqual(cookies.filter((c) => /-hub-(session|way)$/.test(c.name)).map((c) => [c.name, c.expires]), [['tsunagu-hub-session', -1]])

      // The desk sees both, and ends what it likes.
      await desk.open(at.hub + '/account')
      assert.equal(await desk.page.locator('[data-session]').count(), 2)
      await desk.see('#open-devices', 'hub-account-two-devices')

      // It leads to the warning by itself, and one press goes on.
      await library.page.waitForURL(/\/session\/ending\?/, { timeout: 30_000 })
      await library.see('#session-continue', 'hub-session-ending')
      await library.click('#session-continue')
      await library.see('#shared-sign-out', 'hub-account-extended')

      await desk.click('#open-devices')
      await desk.see('[data-session]:not([data-current])', 'hub-devices')
      await desk.click('[data-session]:not([data-current]) [data-device]')
      await desk.see('[data-entered="portal"]', 'hub-device-session')
      await desk.click('[data-end="portal"]')
      await desk.see('[data-done="service"]', 'hub-devices-service-ended')
      await desk.click('[data-session]:not([data-current]) [data-device]')
      assert.equal(await desk.page.locator('[data-entered]').count(), 0)
      await desk.click('#end-session-of-device')
      await desk.see('[data-done="session"]', 'hub-devices-session-ended')
      assert.equal(await desk.page.locator('[data-session]').count(), 1)
      await library.open(at.hub + '/account')
      await library.see('[data-notice="over"]', 'hub-login-over')
      await library.open(at.hub + '/session/ending?back=/account')
      await library.see('#session-over', 'hub-session-over')

      // A form to fill in leads nowhere, and its warning appears in the page.
      await desk.open(at.hub + '/account/details')
      assert.equal(await desk.page.locator('#session-warning').isVisible(), false)
      await desk.page.locator('#email').fill('half@')
      await desk.page.evaluate(() => { document.getElementById('session-warning').hidden = false })
      await desk.look('hub-details-warning')
      const answered = desk.page.waitForResponse((r) => r.request().method() === 'POST' && r.url().endsWith('/session/continue'))
      await desk.page.locator('#session-stay-button').click()
      await answered
      await desk.page.locator('#session-warning').waitFor({ state: 'hidden' })
      assert.equal(await desk.page.locator('#email').inputValue(), 'half@')

      // The card, each time.
      await desk.open(at.hub + '/account')
      await desk.click('[data-rules="portal"]')
      await desk.see('#always-begin', 'hub-service-rules')
      await desk.click('#always-begin')
      await desk.see('#always-end', 'hub-service-rules-always')
      await desk.context.clearCookies({ name: /portal/ })
      await desk.open(at.portal + '/')
      await desk.click('#sign-in')
      await desk.see('[data-notice="always-card"]', 'hub-login-always-card')
      await desk.click('#card-login')
      await enterPIN(desk)
      await desk.see(signedIn, 'portal-home-by-card')
    } finally {
      await library.leave()
      await desk.leave()
    }
  })
})
