// The pages beside the way of a sign-in, and the first sign-in in English.
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { draftReturn, firstSignIn, linkETax, refused, signReturn, toSignReturn } from './lib/steps.mjs'

const at = addresses()
const open = {
  hub: ['/', '/help', '/terms', '/privacy', '/accessibility', '/developers', '/phone'],
  portal: ['/help'],
  etax: ['/', '/number', '/help'],
  postbox: ['/', '/help'],
  city: ['/', '/help'],
  pension: ['/', '/help'],
  agent: ['/', '/?still=1'],
}
const signedInOnly = { hub: ['/account', '/account/details', '/account/details/delete', '/account/details/confirmed', '/account/prepare', '/account/passkeys', '/account/passkeys/new', '/account/signatures', '/account/sign-out-everywhere', '/account/devices', '/account/notices', '/account/notices/mail', '/account/notices/webhook', '/account/services/portal', '/account/representatives', '/account/representatives/new', '/account/representing', '/session/ending'], portal: ['/', '/connect', '/connect/etax'] }
const offices = { city: ['/applications', '/apply', '/desk', '/desk/join'], pension: ['/tie', '/desk/join'] }

describe('pages', { timeout: 300_000 }, () => {
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

  async function lookAt(who, sites) {
    for (const [site, paths] of Object.entries(sites)) {
      for (const path of paths) {
        await who.open(at[site] + path)
        await who.look(`${site}${path.replaceAll('/', '-')}`)
      }
    }
  }

  for (const locale of ['ja-JP', 'en-GB']) {
    test(`that anybody may open, in ${locale}`, async () => {
      const who = await Citizen.arrive(browser, { label: `pages-${locale.slice(0, 2)}`, locale })
      await lookAt(who, open)
      await who.leave()
    })
  }

  test('of somebody signed in, from the first sign-in on in English', async () => {
    const who = await Citizen.arrive(browser, { label: 'english', locale: 'en-GB' })
    await firstSignIn(who, 'hanako')
    await lookAt(who, signedInOnly)
    // The pages of a signature are seen on the way to one.
    await who.open(at.portal + '/')
    await linkETax(who)
    await draftReturn(who)
    await who.open(at.etax + '/returns/none')
    await who.see(refused('return_unknown'), 'etax-return-unknown')
    await who.open(at.etax + '/home')
    await who.click('#open-draft')
    await toSignReturn(who)
    await signReturn(who, 'hanako')
    await who.see('#accepted', 'etax-return-filed')
    await lookAt(who, { hub: ['/account', '/account/signatures'], etax: ['/home', '/unlink'] })
    // A box, from its opening to its end.
    await who.open(at.postbox + '/')
    await who.click('#sign-in')
    if (await who.page.locator('#consent-allow').count()) await who.click('#consent-allow')
    await who.see('#open-box', 'postbox-open')
    await who.click('#open-box')
    await who.see('[data-letter]', 'postbox-box')
    await who.click('[data-letter] a')
    await who.look('postbox-letter')
    await who.open(at.postbox + '/letters/none')
    await who.see(refused('letter_unknown'), 'postbox-letter-unknown')
    await who.open(at.postbox + '/close')
    await who.look('postbox-close')
    await who.click('#close-confirm')
    await who.look('postbox-closed')
    // Whoever agreed before is let through.
    for (const site of Object.keys(offices)) {
      await who.open(at[site] + '/login')
      await who.click('#consent-allow')
    }
    await lookAt(who, offices)
    await who.leave()
  })
})
