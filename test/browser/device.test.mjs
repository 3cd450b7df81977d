// A television without a browser of its own signs a citizen in: it shows a
// code, she types it here, uses her card and agrees. The television is an
// unmodified client library (RFC 8628).
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as client from 'openid-client'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, refused } from './lib/steps.mjs'

const at = addresses()
const scope = 'openid offline_access'

describe('a device without a browser', { timeout: 300_000 }, () => {
  let browser, demo, varDir, television

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([{
      client_id: 'tv', client_name: '見本テレビ', 'client_name#en': 'Sample TV', operator: '見本放送', redirect_uris: [],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'], scope, token_endpoint_auth_method: 'none',
    }]))
    demo = await new Demo(varDir, '-clients', file).start()
    browser = await launch()
    television = await client.discovery(new URL(at.hub), 'tv', undefined, client.None(), { execute: [client.allowInsecureRequests] })
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    await removeVar(varDir)
  })

  // typed goes on with the code as far as the question whether the device is her own.
  async function typed(who, code) {
    await who.type('#user_code', code)
    await who.click('#device-next')
    await who.see('#device-yes', 'device-confirm')
  }

  for (const [name, script, locale, card] of [['with script', true, 'ja-JP', 'taro'], ['without script', false, 'ja-JP', 'hanako'], ['in English', true, 'en-GB', 'taro']]) {
    test(`code, card and consent, ${name}`, async () => {
      const who = await Citizen.arrive(browser, { label: `device-${name.replace(' ', '-')}`, script, locale })
      try {
        const asked = await client.initiateDeviceAuthorization(television, { scope })
        await who.open(asked.verification_uri)
        await who.see('#user_code', 'device')
        await who.type('#user_code', 'WRNG-CODE')
        await who.click('#device-next')
        await who.see(refused('code_wrong'), 'device-wrong-code')
        assert.equal(await who.page.locator('#user_code').inputValue(), 'WRNG-CODE', 'what was typed is lost')
        await typed(who, ` ${asked.user_code.toLowerCase().replace('-', 'ー')} `)
        assert.ok((await who.page.locator('main').innerText()).includes(asked.user_code))
        await who.click('#device-yes')
        await who.see('#card-login', 'device-login')
        await who.click('#card-login')
        await who.see('input[name=pin]', 'device-card-app')
        await enterPIN(who, card)
        const next = await who.page.locator('#open-folder, #consent-allow').first().getAttribute('id')
        if (next === 'open-folder') await who.click('#open-folder')
        await who.see('#consent-allow', 'device-consent')
        await who.click('#consent-allow')
        await who.see('#device-done', 'device-done')
        const tokens = await client.pollDeviceAuthorizationGrant(television, asked)
        assert.ok(tokens.access_token && tokens.refresh_token && tokens.claims().sub)
        await who.open(asked.verification_uri_complete)
        await who.see(refused('code_used'), 'device-used-code')
      } finally {
        await who.leave()
      }
    })
  }

  test('a link asks for the end of the code, and No ends it', async () => {
    const who = await Citizen.arrive(browser, { label: 'device-link' })
    try {
      const asked = await client.initiateDeviceAuthorization(television, { scope })
      await who.open(asked.verification_uri_complete)
      await who.see('input[name=request]', 'device-link')
      assert.ok(!(await who.page.content()).includes(asked.user_code.slice(5)), 'the link gives the whole code away')
      await who.type('#user_code', 'BBBB')
      await who.click('#device-next')
      await who.see(refused('code_wrong'), 'device-link-wrong')
      await typed(who, asked.user_code.slice(5))
      await who.click('#device-no')
      await who.see('#device-denied', 'device-denied')
      await assert.rejects(client.pollDeviceAuthorizationGrant(television, asked), { error: 'access_denied' })
    } finally {
      await who.leave()
    }
  })

  test('too many wrong codes have to wait', async () => {
    const who = await Citizen.arrive(browser, { label: 'device-many' })
    try {
      await who.open(`${at.hub}/device`)
      // Windows are fixed: eleven tries may fall on both sides of a change, twenty-one cannot.
      for (let i = 0; i < 21 && await who.page.locator(refused('too_many')).count() === 0; i++) {
        await who.type('#user_code', 'AEIO')
        await who.click('#device-next')
      }
      await who.see(refused('too_many'), 'device-too-many')
    } finally {
      await who.leave()
    }
  })
})
