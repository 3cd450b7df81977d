// The console's pages beside the wizard: the state of the hub, pre-flights, impact, sign-outs, organisations, operators. What stops somebody asks
// for a reason, what is refused keeps what was typed, and a viewer is offered nothing that changes anything.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import path from 'node:path'
import { Demo, removeVar, root, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, refused, signedIn } from './lib/steps.mjs'

const at = 'http://localhost:8409'

describe('the pages of oversight', { timeout: 180_000 }, () => {
  let browser, demo, varDir, hanako

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

  async function signIn(who, card, code) {
    await who.open(at + '/login')
    await who.click('#card-login')
    await enterPIN(who, card)
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await who.page.locator(question).count()) await who.click(question)
    }
    await who.type('#code', code)
    await who.click('#join')
    await who.page.locator(signedIn).waitFor()
  }

  test('show how services and the hub do', async () => {
    const code = execFileSync(path.join(root, 'bin', 'hubctl'),
      ['operator', 'invite', '--database', `sqlite:${path.join(varDir, 'hub.db')}`, '--name', '花子', '--role', 'editor,approver,security'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    hanako = await Citizen.arrive(browser, { label: 'oversight' })
    await signIn(hanako, 'hanako', code)
    for (const [name, address, selector] of [
      ['status', '/', 'h1'],
      ['start', '/clients/postbox/start', 'dl.descriptions'],
      ['trials', '/clients/postbox/trial', '#start-trial'],
      ['impact', '/clients/postbox/impact', '.empty'],
      ['sign-outs', '/clients/postbox/logout', 'h2'],
      ['sessions', '/clients/postbox/sessions', '.empty'],
      ['citizens', '/citizens', '#find'],
    ]) {
      await hanako.open(at + address)
      await hanako.see(selector, name)
      assert.equal(await hanako.page.locator('main').getAttribute('data-error'), null, name)
    }
    await hanako.type('#trouble', '7f3a')
    await hanako.click('#find')
    await hanako.see(refused('invalid'), 'citizens-wrong')
    assert.equal(await hanako.page.locator('#trouble').inputValue(), '7F3A')
  })

  test('show a pre-flight while it runs, and its report', async () => {
    await hanako.open(at + '/clients/postbox/preflights')
    await hanako.see('#start-preflight', 'preflights')
    await hanako.click('#start-preflight')
    // The script follows it: nobody presses anything.
    await hanako.page.locator('[data-follow=done]').waitFor({ timeout: 60_000 })
    await hanako.see('[data-probe]', 'preflight')
    assert.equal(await hanako.page.locator('[data-verdict=error]').count(), 0, await hanako.page.locator('main').innerText())
    await hanako.page.locator('.banner-ok, .banner-warn').first().waitFor()
  })

  test('take organisations and operators', async () => {
    await hanako.open(at + '/organisations')
    await hanako.see('#new-organisation', 'organisations')
    await hanako.click('#new-organisation')
    await hanako.type('#id', 'Minato City')
    await hanako.type('#name', '見本市')
    await hanako.click('#save-organisation')
    await hanako.see(refused('invalid'), 'organisation-wrong')
    assert.equal(await hanako.page.locator('#name').inputValue(), '見本市')
    await hanako.type('#id', 'ｍｉｎａｔｏ')
    await hanako.type('#contacts', 'it@minato.example')
    await hanako.click('#save-organisation')
    await hanako.see('[data-organisation=minato]', 'organisation-saved')

    await hanako.open(at + '/operators/new')
    await hanako.see('#send-invitation', 'operator-new')
    await hanako.type('#name', '太郎')
    await hanako.click('#send-invitation')
    await hanako.see('#invitation-code', 'invited')
    const code = await hanako.page.locator('#invitation-code').innerText()
    const taro = await Citizen.arrive(browser, { label: 'oversight-viewer', locale: 'en-GB' })
    await signIn(taro, 'taro', code)
    for (const [name, address, never] of [
      ['operators', '/operators', '#invite'], ['organisations', '/organisations', '#new-organisation'], ['preflights', '/clients/postbox/preflights', '#start-preflight'],
      ['trials', '/clients/postbox/trial', '#start-trial'], ['citizens', '/citizens', '#find'], ['status', '/', '#invite'],
    ]) {
      await taro.open(at + address)
      await taro.see('h1', name)
      assert.equal(await taro.page.locator(never).count(), 0, `a viewer is offered ${never}`)
    }
    await hanako.open(at + '/operators')
    await hanako.see('#operators', 'operators')
    const row = hanako.page.locator('[data-operator]', { hasText: '太郎' })
    await Promise.all([hanako.page.waitForNavigation(), row.locator('a[href$="/suspend"]').click()])
    await hanako.click('#confirm')
    await hanako.see(refused('invalid'), 'suspend-wrong')
    await hanako.type('#reason', '異動したため')
    await hanako.click('#confirm')
    await hanako.see('[role=status]', 'suspended')
    await taro.open(at + '/clients')
    assert.equal(new URL(taro.page.url()).pathname, '/join', 'a suspended operator works on')
    await taro.leave()
  })
})
