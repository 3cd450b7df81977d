// A citizen names another as her representative at e-Tax: the code, the number
// that the two compare, the choice at the sign-in, the banner at the service,
// what the one who is represented reads of it, and the end.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, linkETax, refused } from './lib/steps.mjs'

const at = addresses()

describe('representatives', { timeout: 120_000 }, () => {
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

  test('one acts for the other until the other ends it', async () => {
    const taro = await Citizen.arrive(browser, { label: 'represented' })
    const hanako = await Citizen.arrive(browser, { label: 'representative', locale: 'en-GB' })
    try {
      await firstSignIn(taro)
      await linkETax(taro)
      await firstSignIn(hanako, 'hanako')

      // He names her.
      await taro.open(at.hub + '/account')
      await taro.click('#open-representatives')
      await taro.see('#representative-new', 'hub-representatives-none')
      await taro.click('#representative-new')
      if (await taro.page.locator('#card-login').count()) {
        await taro.click('#card-login')
        await enterPIN(taro)
      }
      await taro.see('#representative-make', 'hub-representative-new')
      await taro.click('#representative-make')
      await taro.see(refused('mandate_form'), 'hub-representative-new-refused')
      await taro.type('#note', '長女の花子')
      await taro.type('#name', '父 太郎')
      await taro.page.locator('#service-etax').check()
      await taro.click('#representative-make')
      await taro.see('#invite-code', 'hub-representative-code')
      const code = await taro.page.locator('#invite-code').innerText()

      // She accepts.
      await hanako.open(at.hub + '/account/representing')
      await hanako.see('#invite-next', 'hub-representing-none')
      await hanako.type('#code', code.toLowerCase())
      await hanako.click('#invite-next')
      if (await hanako.page.locator('#card-login').count()) {
        await hanako.click('#card-login')
        await enterPIN(hanako, 'hanako')
        await hanako.type('#code', code)
        await hanako.click('#invite-next')
      }
      await hanako.see('#invite-accept', 'hub-representing-accept')
      await hanako.click('#invite-accept')
      await hanako.see('[data-number]', 'hub-representing-number')
      const number = await hanako.page.locator('[data-number]').innerText()

      // The number is compared.
      await taro.click('#invite-done')
      await taro.see('[data-state="accepted"]', 'hub-representatives-accepted')
      await taro.click('[data-confirm]')
      await taro.see('#mandate-confirm', 'hub-representative-confirm')
      assert.ok(!(await taro.page.content()).includes(number), 'the number is shown to whom it is asked of')
      await taro.type('#number', number === '0000' ? '1111' : '0000')
      await taro.click('#mandate-confirm')
      await taro.see(refused('mandate_number'), 'hub-representative-confirm-wrong')
      await taro.type('#number', number)
      await taro.click('#mandate-confirm')
      await taro.see('[data-state="in_force"] [data-no-uses]', 'hub-representatives-in-force')

      // She enters e-Tax in his name.
      await hanako.open(at.etax + '/login')
      await hanako.see('#act-self', 'hub-represent')
      await hanako.click('[data-act]')
      await hanako.see('[data-acting]', 'etax-acting')

      // He reads when she did, and ends it; she is out.
      await taro.open(at.hub + '/account/representatives')
      await taro.see('[data-uses] li', 'hub-representatives-used')
      await taro.click('[data-end]')
      await taro.see('#mandate-end', 'hub-representative-end')
      await taro.click('#mandate-end')
      await taro.see('[data-state="ended"]', 'hub-representatives-ended')
      for (let i = 0; ; i++) {
        await hanako.open(at.etax + '/home')
        if (await hanako.page.locator('[data-acting]').count() === 0) break
        assert.ok(i < 100, 'she is still in')
      }
      await hanako.look('etax-no-longer-acting')
      await hanako.open(at.hub + '/account/representing')
      await hanako.see('[data-state="ended"]', 'hub-representing-ended')
    } finally {
      await taro.leave()
      await hanako.leave()
    }
  })
})
