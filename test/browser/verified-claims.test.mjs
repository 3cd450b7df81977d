// A service asks for what the card says of a citizen, through an unmodified OIDC library; she confirms it with the signature
// certificate on the page where it is asked for, sees what is about to be given, and finds it again on a page of her own.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { Party } from './lib/library.mjs'
import { enterPIN } from './lib/steps.mjs'

const at = addresses(true)
const port = 8494
const redirectUri = `http://localhost:${port}/callback`
const password = 'ABC123'
const framework = 'urn:tsunagu:trust-framework:jpki'
const asked = {
  verification: { trust_framework: { value: framework }, time: null, evidence: [{ type: { value: 'electronic_signature' }, signature_type: null, issuer: null, created_at: null }] },
  claims: { name: { essential: true }, birthdate: null },
}

describe('verified claims', { timeout: 300_000 }, () => {
  let browser, demo, varDir, callbacks
  const secret = randomBytes(32).toString('base64url')

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([{
      client_id: 'bank', client_name: '見本銀行', 'client_name#en': 'Sample bank', operator: '見本銀行', development: true,
      redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
      scope: 'openid offline_access verified:name verified:birthdate', purposes: { 'verified:name': '口座の名義', 'verified:name#en': 'Name of the account' },
      subject_type: 'pairwise', token_endpoint_auth_method: 'client_secret_basic', client_secret_sha256: createHash('sha256').update(secret).digest('hex'),
      id_token_signed_response_alg: 'ES256',
    }]))
    callbacks = http.createServer((_, res) => {
      res.setHeader('Content-Type', 'text/html')
      res.end('<!doctype html><title>back</title>')
    }).listen(port, 'localhost')
    demo = await new Demo(varDir, '-tls', '-clients', file).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    callbacks?.closeAllConnections()
    callbacks?.close()
    await removeVar(varDir)
  })

  async function signWith(citizen, card) {
    await citizen.choose('select[name=card]', card)
    await citizen.see('input[name=password]', 'attributes at the card app')
    await citizen.type('input[name=password]', password)
    await citizen.click('#sign-submit')
  }

  for (const locale of ['ja-JP', 'en-GB']) {
    test(`are confirmed, agreed to and read by openid-client, in ${locale}`, async () => {
      const party = new Party(path.join(varDir, 'demo', 'ca.pem'))
      const card = locale === 'ja-JP' ? 'taro' : 'hanako'
      const citizen = await Citizen.arrive(browser, { label: `verified-${locale.slice(0, 2)}`, tls: true, locale })
      try {
        const server = await party.ask('discover', { issuer: at.hub, clientId: 'bank', secret })
        assert.deepEqual(server.trust_frameworks_supported, [framework])
        const wanted = { userinfo: { verified_claims: asked }, id_token: { verified_claims: asked } }
        await citizen.open(await party.ask('authorize', { redirectUri, scope: 'openid', wanted }))
        await citizen.click('#card-login')
        await enterPIN(citizen, card)
        await citizen.click('#open-folder')
        await citizen.see('[data-verified=none]', 'consent to what is not confirmed')
        await citizen.click('#consent-confirm')
        await signWith(citizen, card)
        await citizen.see('[data-verified=good]', 'consent to what is confirmed')
        assert.match(await citizen.page.locator('[data-verified=good]').innerText(), card === 'taro' ? /見本　太郎[^]*1980-02-17/ : /見本　花子[^]*1992-07-07/)
        await citizen.click('#consent-allow')
        const { claims } = await party.ask('callback', { url: citizen.page.url() })
        const { verified_claims: given } = await party.ask('userinfo')
        for (const { verification, claims: facts } of [given, claims.verified_claims]) {
          assert.deepEqual(facts, card === 'taro' ? { name: '見本　太郎', birthdate: '1980-02-17' } : { name: '見本　花子', birthdate: '1992-07-07' })
          assert.equal(verification.trust_framework, framework)
          assert.deepEqual(Object.keys(verification.evidence[0]).sort(), ['created_at', 'issuer', 'signature_type', 'type'])
          assert.ok(Date.now() - Date.parse(verification.time) < 600_000)
        }

        await citizen.open(at.hub + '/account/details')
        await citizen.type('input[name=name]', '見本 タロウ')
        await citizen.click('#details-save')
        await citizen.click('#open-confirmed')
        await citizen.see('[data-standing=good]', 'what the card confirms, beside what was written')
        await citizen.click('#confirm')
        await signWith(citizen, card === 'taro' ? 'hanako' : 'taro')
        await citizen.see('.banner-warn', 'another person’s card confirms nothing')
        await citizen.click('#confirmed-remove')
        await citizen.see('#confirm', 'nothing is confirmed any more')
        assert.equal((await party.ask('userinfo')).verified_claims, undefined)
        assert.deepEqual(citizen.violations, [])
      } finally {
        await citizen.leave()
        party.end()
      }
    })
  }
})
