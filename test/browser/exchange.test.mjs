// One office asks another about a citizen who is not there, and she reads of
// it at once.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, refused, signedIn } from './lib/steps.mjs'

const at = addresses()
const item = 'TM00000000000046'

describe('an exchange between offices', { timeout: 120_000 }, () => {
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

  // signIn goes through the hub to a page of an office, whatever is asked on the way.
  async function signIn(who, address, card) {
    await who.open(address)
    if (await who.page.locator('#sign-in').count()) await who.click('#sign-in')
    if (await who.page.locator('#card-login').count()) {
      await who.click('#card-login')
      await enterPIN(who, card)
    }
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await who.page.locator(question).count()) await who.click(question)
    }
  }

  // join enters the invitation that the demo printed.
  async function join(who, office) {
    const code = new RegExp(`staff code of ${office}: ([A-Z0-9]+)`).exec(demo.output)?.[1]
    assert.ok(code, 'the demo printed no invitation')
    await who.see(refused('not_staff'), `${office}-not-staff`)
    await who.click('main a[href="/desk/join"]')
    await who.type('input[name=code]', 'AAAABBBBCCCCDDDDEEEEFFFFGG')
    await who.click('#join')
    await who.see(refused('code_wrong'), `${office}-join-wrong`)
    await who.type('input[name=code]', code.toLowerCase())
    await who.click('#join')
    await who.see(signedIn, `${office}-desk`)
  }

  // until asks again and again, as fast as answers come, and answers how long it took in milliseconds.
  async function until(what, most, ok) {
    const start = performance.now()
    while (!await ok()) assert.ok(performance.now() - start < most, `${what}: not within ${most} ms`)
    return performance.now() - start
  }

  test('is in her records within a second', async () => {
    const taro = await Citizen.arrive(browser, { label: 'exchange-citizen' })
    const hanako = await Citizen.arrive(browser, { label: 'exchange-clerk' })

    await signIn(taro, at.pension + '/', 'taro')
    await taro.see('#tie', 'pension-tie')
    await taro.type('input[name=number]', '1234-567890')
    await taro.type('input[name=born]', '1981-02-17')
    await taro.click('#tie')
    await taro.see(refused('record_unknown'), 'pension-tie-wrong')
    await taro.type('input[name=number]', '１２３４－５６７８９０')
    await taro.type('input[name=born]', '1980年2月17日')
    await taro.click('#tie')
    await taro.see('#tied', 'pension-record')

    await signIn(taro, at.city + '/', 'taro')
    await taro.see('#new-application', 'city-applications-none')
    await taro.click('#new-application')
    await taro.type('input[name=children]', 'ふたり')
    await taro.type('input[name=youngest]', '2024-04-01')
    await taro.click('#apply')
    await taro.see(refused('input_missing'), 'city-apply-wrong')
    await taro.type('input[name=children]', '２人')
    await taro.click('#apply')
    await taro.see('#applied', 'city-applications')

    await signIn(hanako, at.city + '/desk', 'hanako')
    await join(hanako, 'municipality')
    await hanako.click('[data-case] a')
    await hanako.see(`[data-inquiry="${item}"][data-state=""]`, 'city-case')
    await hanako.click('[data-ask]')
    const account = async () => (await taro.context.request.get(at.hub + '/account')).text()
    const took = await until('the exchange in her records', 1000, async () => (await account()).includes('data-exchange="provided"'))
    await hanako.see(`[data-inquiry="${item}"][data-state="answered"]`, 'city-case-answered')
    assert.match(await hanako.page.locator('main').innerText(), /第2号被保険者/)
    await taro.open(at.hub + '/account')
    await taro.see('[data-exchange="provided"]', 'hub-account-exchange')
    assert.match(await taro.page.locator('[data-exchange="provided"]').innerText(), /見本市役所[\s\S]*年金の加入状況/)
    console.log(`in her records after ${Math.round(took)} ms`)

    await signIn(hanako, at.pension + '/desk', 'hanako')
    await join(hanako, 'pension')
    await hanako.see('[data-exchange]', 'pension-desk-answered')
    assert.match(await hanako.page.locator('main').innerText(), /つなぐに報告済み/)

    // Signed out everywhere, he is at both offices too, without a word from his browser.
    const inside = async (address) => (await taro.context.request.get(address, { maxRedirects: 0 })).status() === 200
    assert.ok(await inside(at.city + '/applications') && await inside(at.pension + '/record'))
    await taro.open(at.hub + '/account/sign-out-everywhere')
    await taro.click('main form button')
    await until('signed out at both offices', 10_000, async () => !await inside(at.city + '/applications') && !await inside(at.pension + '/record'))
    await taro.leave()
    await hanako.leave()
  })

  test('is not for a clerk to make about herself', async () => {
    const hanako = await Citizen.arrive(browser, { label: 'exchange-again', script: false })
    await signIn(hanako, at.city + '/', 'hanako')
    await hanako.open(at.city + '/apply')
    await hanako.type('input[name=children]', '1')
    await hanako.type('input[name=youngest]', '2025-01-01')
    await hanako.click('#apply')
    await hanako.open(at.city + '/desk')
    await hanako.click('[data-case] a')
    await hanako.look('city-case-own')
    assert.equal(await hanako.page.locator('[data-ask]').count(), 0, 'a clerk is invited to work on her own case')
    await hanako.leave()
  })
})
