// A card is renewed: the person, and what she has linked, is the same. With
// the authority's linkage service, without a question; without it, by a way
// that the pages lead along.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, launchETax, linkETax, refused, signedIn, toCardApp } from './lib/steps.mjs'

const at = addresses()
const port = 8494
const service = `http://127.0.0.1:${port}`
const clientId = 'subject-test'

for (const linkage of ['up', 'down']) {
  describe(`a renewed card with the linkage service ${linkage}`, { timeout: 300_000 }, () => {
    let browser, demo, varDir, server, taro, renewed, subject

    before(async () => {
      varDir = await tempVar()
      const file = path.join(varDir, 'clients.json')
      await writeFile(file, JSON.stringify([{
        client_id: clientId, client_name: '番号の試験', 'client_name#en': 'Subject test', operator: 'Test operator', development: true,
        redirect_uris: [`${service}/callback`], scope: 'openid', token_endpoint_auth_method: 'none',
      }]))
      server = http.createServer((req, res) => res.end('<!doctype html><title>service</title>')).listen(port)
      demo = await new Demo(varDir, '-clients', file).start()
      browser = await launch()
      taro = await Citizen.arrive(browser, { label: `renewal-${linkage}` })
      renewed = await Citizen.arrive(browser, { label: `renewed-${linkage}` })
    })
    after(async () => {
      await browser?.close()
      server?.closeAllConnections()
      server?.close()
      await demo?.stop()
      await removeVar(varDir)
    })

    const fault = async (order) => {
      const answer = await fetch(`http://127.0.0.1:8406/faults/${order}`, { method: 'POST' })
      assert.equal(answer.status, 204, order)
    }

    // subjectOf is what a service is told of whoever is signed in at the hub.
    async function subjectOf(who) {
      const verifier = randomBytes(32).toString('base64url')
      const redirect_uri = `${service}/callback`
      await who.open(`${at.hub}/authorize?` + new URLSearchParams({
        client_id: clientId, redirect_uri, response_type: 'code', scope: 'openid', state: 's', nonce: 'n',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
      }))
      if (await who.page.locator('#consent-allow').count()) await who.click('#consent-allow')
      const code = new URL(who.page.url()).searchParams.get('code')
      assert.ok(code, who.page.url())
      const tokens = await (await who.context.request.post(`${at.hub}/token`, {
        form: { grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier, client_id: clientId },
      })).json()
      return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url')).sub
    }

    test('taro links e-Tax', async () => {
      await firstSignIn(taro)
      await linkETax(taro)
      subject = await subjectOf(taro)
    })

    if (linkage === 'up') {
      test('the renewed card opens e-Tax with no question', async () => {
        await toCardApp(renewed)
        await enterPIN(renewed, 'taro-renewed')
        await renewed.see(signedIn, 'portal-home') // no folder, no consent
        await launchETax(renewed) // no number, no password
        assert.equal(await subjectOf(renewed), subject)
      })

      test('the folder tells what became of the cards', async () => {
        await renewed.open(`${at.hub}/account`)
        await renewed.see('[data-card="linkage"]', 'hub-account-renewed')
        await renewed.see('[data-card="opened"][data-card-end="superseded"]', 'hub-account-renewed')
      })

      test('the old card does not open it any more', async () => {
        const late = await Citizen.arrive(browser, { label: 'renewal-late' })
        await toCardApp(late)
        await enterPIN(late, 'taro')
        await late.see(refused('card_replaced'), 'hub-card-replaced')
        await late.leave()
      })
      return
    }

    test('who prepared signs once, and with the linkage service down the guided way works', async () => {
      const sign = async (who, card) => {
        if (await who.page.locator('select[name=card]').count()) await who.choose('select[name=card]', card)
        await who.see('input[name=password]', 'card-app-relink')
        await who.type('input[name=password]', 'ABC123')
        await who.click('#sign-submit')
      }
      await taro.open(`${at.hub}/account/prepare`)
      await taro.click('#prepare')
      await sign(taro, 'taro')
      await taro.see('#prepared', 'hub-prepared')

      await fault('jlis/down')
      const alone = await Citizen.arrive(browser, { label: 'renewal-relink' }) // the old card is gone
      await toCardApp(alone)
      await enterPIN(alone, 'taro-renewed')
      await alone.see('#again-sign', 'hub-folder-again-sign')
      await alone.click('#again-sign')
      await sign(alone, 'hanako') // somebody else's signature leads nowhere
      await alone.see('#again-sign', 'hub-folder-again-no-match')
      assert.equal(new URL(alone.page.url()).searchParams.get('note'), 'no_match')
      await alone.click('#again-sign')
      await sign(alone, 'taro-renewed')
      await alone.see(refused('card_waiting'), 'hub-card-waiting')
      await taro.open(`${at.hub}/account`)
      await taro.see('#new-card', 'hub-account-relinked') // whoever is in the folder reads of it
      await new Promise((resolve) => setTimeout(resolve, 11_000)) // in the demo the wait is ten seconds
      await toCardApp(alone)
      await enterPIN(alone, 'taro-renewed')
      await alone.see(signedIn, 'portal-home-relinked')
      await launchETax(alone) // no number, no password
      assert.equal(await subjectOf(alone), subject)
      await taro.open(`${at.hub}/account`)
      await taro.click('[data-undo="relink"]')
      await taro.see('#card-undo-confirm', 'hub-card-undo-relink')
      await taro.click('#card-undo-confirm')
      await taro.see('[data-card-end="undone"]', 'hub-account-undone-relink')
      await alone.leave()
    })

    test('the guided way leads the renewed card to the folder, and to e-Tax', async () => {
      await fault('jlis/down')
      await toCardApp(renewed)
      await enterPIN(renewed, 'taro-renewed')
      await renewed.see('#again-old', 'hub-folder-again')
      await renewed.click('#again-retry')
      await renewed.see('#again-old', 'hub-folder-again-still')
      await renewed.click('#again-first')
      await renewed.see('#open-folder', 'hub-folder-first')
      await renewed.page.goBack()
      await renewed.see('#again-old', 'hub-folder-again-back')
      await renewed.click('#again-old')
      await renewed.see('input[name=pin]', 'card-app-old')
      await enterPIN(renewed, 'taro')
      await renewed.see('#join-yes', 'hub-folder-join')
      await renewed.click('#join-yes')
      await renewed.see(signedIn, 'portal-home')
      await launchETax(renewed)
      assert.equal(await subjectOf(renewed), subject)
    })

    test('who did not do that takes the new card back with the old one', async () => {
      await taro.open(`${at.hub}/account`)
      await taro.see('#new-card', 'hub-account-new-card')
      await taro.click('[data-undo="both"]')
      await taro.see('#card-undo-confirm', 'hub-card-undo')
      await taro.click('#card-undo-confirm')
      await taro.see('[data-card-end="undone"]', 'hub-account-undone')
      await renewed.open(`${at.hub}/account`)
      await renewed.see('#card-login', 'hub-login-after-undo')
      await renewed.click('#card-login')
      await enterPIN(renewed, 'taro-renewed')
      await renewed.see('#again-old', 'hub-folder-again-undone')
      await fault('jlis/up')
    })
  })
}
