// A card that stops counting stops everywhere, while its owner is signed in:
// because it was revoked, or because it was taken out of the reader.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, launchETax, linkETax, signedIn } from './lib/steps.mjs'

const at = addresses()
const interval = 5_000
const order = async (what) => {
  const answer = await fetch(`http://127.0.0.1:8406/faults/${what}`, { method: 'POST' })
  assert.equal(answer.status, 204, what)
}

describe('a card that stops counting', { timeout: 300_000 }, () => {
  let browser, demo, varDir

  before(async () => {
    varDir = await tempVar()
    demo = await new Demo(varDir, '-recheck', `${interval / 1000}s`).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  // signedInAt answers whether a site knows the browser, which has it open in a tab of its own.
  const signedInAt = async (tab) => {
    await tab.reload()
    return await tab.locator(signedIn).count() > 0
  }

  // tabs opens the hub, the portal and e-Tax, all three signed in.
  const tabs = async (who) => {
    const open = []
    for (const [site, address] of [['portal', at.portal + '/'], ['etax', at.etax + '/']]) {
      const tab = await who.context.newPage()
      await tab.goto(address)
      assert.ok(await signedInAt(tab), `${site}: not signed in`)
      open.push({ site, out: async () => !await signedInAt(tab) })
    }
    const hub = await who.context.newPage()
    await hub.goto(at.hub + '/account')
    assert.equal(new URL(hub.url()).pathname, '/account')
    open.push({ site: 'hub', out: async () => { await hub.goto(at.hub + '/account'); return new URL(hub.url()).pathname === '/login' } })
    return open
  }

  const allOutWithin = async (open, limit, since) => {
    const waiting = new Set(open)
    while (waiting.size) {
      for (const site of waiting) if (await site.out()) waiting.delete(site)
      assert.ok(!waiting.size || Date.now() - since < limit, `still signed in after ${limit} ms: ${[...waiting].map((s) => s.site)}`)
    }
  }

  test('revoked: hub, portal and e-Tax are signed out within the interval, and the next page says why', async () => {
    const who = await Citizen.arrive(browser, { label: 'revoked' })
    await firstSignIn(who)
    await linkETax(who)
    const open = await tabs(who)
    const since = Date.now()
    await order('revoke/taro')
    await allOutWithin(open, interval, since)
    await who.open(at.hub + '/account')
    await who.see('[data-notice="card-revoked"]', 'hub-login-card-revoked')
    await order('restore/taro')
    await who.click('#card-login')
    await enterPIN(who)
    await who.page.waitForURL(at.hub + '/account')
    await order('revoke/taro?reason=superseded')
    const out = async () => { await who.open(at.hub + '/account'); return new URL(who.page.url()).pathname === '/login' }
    await allOutWithin([{ site: 'hub', out }], interval, Date.now())
    await who.see('[data-notice="card-replaced"]', 'hub-login-card-replaced')
    await order('restore/taro')
    await who.leave()
  })

  for (const script of [true, false]) {
    test(`taken out: hub, portal and e-Tax are signed out, ${script ? 'with' : 'without'} script`, async () => {
      const who = await Citizen.arrive(browser, { label: script ? 'taken-out' : 'taken-out-plain', script })
      await who.open(at.portal + '/')
      await who.click('#sign-in')
      assert.equal(await who.page.locator('#card-watch').isChecked(), false, 'nobody has said that this computer is shared')
      await who.page.locator('#card-watch').check()
      await who.see('#card-watch', 'hub-login-watch')
      await who.click('#card-login')
      await who.see('[data-card-watch]', 'card-app-watch')
      await enterPIN(who)
      await who.see(signedIn, 'portal-watched')
      await launchETax(who)
      await who.see(signedIn, 'etax-watched')
      const open = await tabs(who)
      await who.open(at.hub + '/account')
      await who.see('[data-card-watch]', 'hub-account-watched')
      await who.open(at.agent + '/?still=1')
      await who.see('#eject-taro', 'card-app-tray')
      const since = Date.now()
      await who.click('#eject-taro')
      await who.see('#insert-taro', 'card-app-tray-out')
      await allOutWithin(open, interval, since)
      await who.open(at.hub + '/account')
      await who.see('[data-notice="card-removed"]', 'hub-login-card-removed')
      assert.equal(await who.page.locator('#card-watch').isChecked(), true, 'a shared computer stays one')
      await who.open(at.agent + '/?still=1')
      await who.click('#insert-taro')
      await who.leave()
    })
  }
})
