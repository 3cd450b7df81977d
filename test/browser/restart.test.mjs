// The hub is stopped and killed in the middle of a citizen's day, and it costs
// the citizen nothing.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, launchETax, linkETax, signedIn } from './lib/steps.mjs'

const at = addresses()

describe('restart', { timeout: 300_000 }, () => {
  let browser, demo, varDir, taro

  before(async () => {
    varDir = await tempVar()
    demo = await new Demo(varDir).start()
    browser = await launch()
    taro = await Citizen.arrive(browser, { label: 'restart' })
    await firstSignIn(taro)
    await linkETax(taro)
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  for (const [signal, what] of [['SIGINT', 'Ctrl-C'], ['SIGKILL', 'kill -9']]) {
    test(`${what}: session, link and consent are all there`, async () => {
      const { code } = await demo.restart(signal)
      if (signal === 'SIGINT') assert.equal(code, 0, 'Ctrl-C ends the demo cleanly')
      await taro.open(at.portal + '/')
      await taro.see(signedIn, 'portal')
      assert.equal(await taro.count(() => launchETax(taro, 'etax')), 1)
      await taro.open(at.hub + '/account')
      await taro.look('hub-account')
      assert.match(await taro.page.locator('main').innerText(), /e-Tax/, 'the account page does not show the connected service')
    })

    test(`${what}: the folder is open and nothing is asked again on another device`, async () => {
      const other = await Citizen.arrive(browser, { label: 'restart-other-device' })
      try {
        await other.open(at.portal + '/')
        await other.click('#sign-in')
        await other.click('#card-login')
        await enterPIN(other)
        await other.see(signedIn, 'portal')
        assert.equal(await other.count(() => launchETax(other, 'etax')), 1)
      } finally {
        await other.leave()
      }
    })
  }

  test('kill -9 in the middle of a login costs one press', async () => {
    const hanako = await Citizen.arrive(browser, { label: 'restart-mid-login' })
    try {
      await hanako.open(at.portal + '/')
      await hanako.click('#sign-in')
      await hanako.see('#card-login', 'hub-login')
      await demo.restart('SIGKILL')
      await hanako.click('#card-login')
      await enterPIN(hanako, 'hanako')
      await hanako.see('#open-folder', 'hub-folder')
    } finally {
      await hanako.leave()
    }
  })
})
