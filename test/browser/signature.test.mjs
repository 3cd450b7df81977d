// A service asks for a signature over a document through an unmodified OIDC library; the citizen reads what is signed, on
// three pages, and signs with the card. What comes back is verified by software that is not ours: openssl, and jose.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import * as jose from 'jose'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { Party } from './lib/library.mjs'
import { enterPIN } from './lib/steps.mjs'

const at = addresses(true)
const run = promisify(execFile)
const port = 8493
const redirectUri = `http://localhost:${port}/callback`
const password = 'abc123' // the cards' own, in small letters: they are made capital
const document = Buffer.from('賃貸借契約書\n甲は乙に、次の物件を貸す。\n')
const sha256 = (bytes) => createHash('sha256').update(bytes)

describe('signature', { timeout: 300_000 }, () => {
  let browser, demo, varDir, callbacks
  const secret = randomBytes(32).toString('base64url')

  before(async () => {
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([{
      client_id: 'notary', client_name: '見本電子契約', 'client_name#en': 'Sample contracts', operator: '見本電子契約社', development: true,
      redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], scope: 'openid offline_access',
      subject_type: 'pairwise', token_endpoint_auth_method: 'client_secret_basic', client_secret_sha256: sha256(secret).digest('hex'),
      id_token_signed_response_alg: 'ES256', authorization_details_types: ['signature'],
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

  const details = [{
    type: 'signature',
    document: { name: '賃貸借契約書', digest_alg: 'sha-256', digest: sha256(document).digest('base64url'), media_type: 'text/plain', size: document.length },
  }]
  const groups = sha256(document).digest('hex').match(/.{4}/g).join(' ')

  async function service() {
    const party = new Party(path.join(varDir, 'demo', 'ca.pem'))
    await party.ask('discover', { issuer: at.hub, clientId: 'notary', secret })
    return party
  }

  // toSign brings the citizen to the hub's page about the document.
  async function toSign(citizen, party, card) {
    await citizen.open(await party.ask('authorize', { redirectUri, scope: 'openid', details }))
    if (await citizen.page.locator('#card-login').count()) {
      await citizen.click('#card-login')
      await enterPIN(citizen, card)
    }
    for (const question of ['#newcomer', '#open-folder']) {
      if (await citizen.page.locator(question).count()) await citizen.click(question)
    }
    await citizen.see('[data-detail=signature]', 'consent to a signature')
    assert.ok((await citizen.page.locator('[data-detail=signature]').innerText()).includes(groups), 'the consent page shows the fingerprint')
    await citizen.click('#consent-allow')
    await citizen.see('#sign-start', 'sign at the hub')
    assert.ok((await citizen.page.locator('main').innerText()).includes(groups), 'the hub shows the fingerprint')
  }

  test('is verified by openssl and by jose', async () => {
    const party = await service()
    const citizen = await Citizen.arrive(browser, { label: 'signature', tls: true })
    try {
      await toSign(citizen, party, 'taro')
      await citizen.click('#sign-start')
      if (await citizen.page.locator('select[name=card]').count()) await citizen.choose('select[name=card]', 'taro')
      await citizen.see('input[name=password]', 'sign at the card app')
      assert.ok((await citizen.page.locator('#document-facts').innerText()).includes(groups), 'the card app shows the fingerprint')
      await citizen.type('input[name=password]', 'WRONG123')
      await citizen.click('#sign-submit')
      await citizen.see('main[data-error=password_wrong]', 'wrong signing password')
      await citizen.type('input[name=password]', password)
      await citizen.click('#sign-submit')
      const end = new URL(citizen.page.url())
      assert.ok(end.href.startsWith(redirectUri), `ended at ${end}: ${await citizen.page.locator('body').innerText()}`)
      assert.deepEqual([...end.searchParams.keys()].sort(), ['code', 'iss', 'session_state', 'state'], 'nothing signed is in the address')

      const tokens = await party.ask('callback', { url: end.href })
      assert.equal(tokens.details.length, 1)
      assert.deepEqual(tokens.details[0].document, details[0].document)
      const { status, body } = await party.ask('resource', { url: `${at.hub}/api/signatures/${tokens.details[0].identifier}` })
      assert.equal(status, 200, JSON.stringify(body))

      const header = jose.decodeProtectedHeader(body.jws)
      const pem = `-----BEGIN CERTIFICATE-----\n${header.x5c[0]}\n-----END CERTIFICATE-----`
      const { payload, protectedHeader } = await jose.compactVerify(body.jws, await jose.importX509(pem, 'RS256'))
      const statement = JSON.parse(new TextDecoder().decode(payload))
      assert.deepEqual(statement.document, details[0].document)
      assert.equal(statement.aud, at.hub)
      assert.equal(statement.client_id, 'notary')
      assert.equal(protectedHeader['x5t#S256'], sha256(Buffer.from(header.x5c[0], 'base64')).digest('base64url'))
      assert.equal(protectedHeader.iat, body.signed_at)
      const [head, claims, signature] = body.jws.split('.')
      await assert.rejects(jose.compactVerify(`${head}.${claims.slice(0, -2)}AA.${signature}`, await jose.importX509(pem, 'RS256')))

      const file = (name) => path.join(varDir, name)
      await writeFile(file('contract'), document)
      await writeFile(file('changed'), Buffer.concat([document, Buffer.from(' ')]))
      await writeFile(file('contract.p7s'), Buffer.from(body.cms, 'base64'))
      await writeFile(file('signer.pem'), pem)
      const ca = path.join(varDir, 'demo', 'pki', 'sign-ca.pem')
      const verify = (content) => run('openssl', ['cms', '-verify', '-binary', '-inform', 'DER', '-in', file('contract.p7s'), '-content', file(content),
        '-CAfile', ca, '-purpose', 'any', '-cades', '-out', file('out')])
      assert.match((await verify('contract')).stderr, /CAdES Verification successful|Verification successful/)
      await assert.rejects(verify('changed'))
      await run('openssl', ['verify', '-CAfile', ca, '-purpose', 'any', file('signer.pem')])
      assert.deepEqual(citizen.violations, [])
    } finally {
      await citizen.leave()
      party.end()
    }
  })

  test('is refused from another person, and the service hears of giving up', async () => {
    const party = await service()
    const citizen = await Citizen.arrive(browser, { label: 'signature-other', tls: true })
    try {
      await toSign(citizen, party, 'taro')
      await citizen.click('#sign-start')
      await citizen.choose('select[name=card]', 'hanako')
      await citizen.type('input[name=password]', password)
      await citizen.click('#sign-submit')
      await citizen.see('main[data-error=signer_unknown]', 'signed by somebody else')
      await citizen.click('#sign-stop')
      assert.equal(new URL(citizen.page.url()).searchParams.get('error'), 'access_denied')
    } finally {
      await citizen.leave()
      party.end()
    }
  })
})
