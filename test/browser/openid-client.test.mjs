// An unmodified client library, registered like any service, against the hub
// over TLS: discovery, pushed request, login, tokens, user info, refresh, revocation.
import assert from 'node:assert/strict'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addresses, Demo, removeVar, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { Party } from './lib/library.mjs'
import { enterPIN } from './lib/steps.mjs'

const at = addresses(true)
// Two services under development on this computer: their ports set them apart.
const ports = { 'library-key': 8491, 'library-secret': 8492 }
const redirectOf = (clientId) => `http://localhost:${ports[clientId]}/callback`
const scope = 'openid offline_access'

const metadata = (clientId, rest) => ({
  client_id: clientId,
  client_name: 'ライブラリ試験',
  'client_name#en': 'Library test',
  operator: 'Library test operator',
  development: true,
  redirect_uris: [redirectOf(clientId)],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  scope,
  subject_type: 'pairwise',
  ...rest,
})

describe('openid-client', { timeout: 300_000 }, () => {
  let browser, demo, varDir, keys, jwk, callbacks
  const secret = randomBytes(32).toString('base64url')

  before(async () => {
    keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const publicJwk = await webcrypto.subtle.exportKey('jwk', keys.publicKey)
    jwk = { ...await webcrypto.subtle.exportKey('jwk', keys.privateKey), kid: 'library' }
    varDir = await tempVar()
    const file = path.join(varDir, 'clients.json')
    await writeFile(file, JSON.stringify([
      metadata('library-key', {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        require_pushed_authorization_requests: true,
        jwks: { keys: [{ kty: publicJwk.kty, crv: publicJwk.crv, x: publicJwk.x, y: publicJwk.y, kid: 'library', use: 'sig', alg: 'ES256' }] },
      }),
      metadata('library-secret', {
        token_endpoint_auth_method: 'client_secret_basic',
        client_secret_sha256: createHash('sha256').update(secret).digest('hex'),
        id_token_signed_response_alg: 'RS256',
      }),
    ]))
    callbacks = Object.values(ports).map((port) => http.createServer((_, res) => {
      res.setHeader('Content-Type', 'text/html')
      res.end('<!doctype html><title>back</title>')
    }).listen(port, 'localhost'))
    demo = await new Demo(varDir, '-tls', '-clients', file).start()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await demo?.stop()
    callbacks?.forEach((s) => { s.closeAllConnections(); s.close() })
    await removeVar(varDir)
  })

  // login answers the address the hub sends the browser to in the end, after
  // everything it asks on the way.
  async function login(citizen, url, redirectUri) {
    await citizen.open(url)
    await citizen.click('#card-login')
    await enterPIN(citizen, 'hanako')
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await citizen.page.locator(question).count()) await citizen.click(question)
    }
    const end = citizen.page.url()
    assert.ok(end.startsWith(redirectUri), `ended at ${end}: ${await citizen.page.locator('body').innerText()}`)
    return end
  }

  for (const { clientId, pushed, alg } of [
    { clientId: 'library-key', pushed: true, alg: 'ES256' },
    { clientId: 'library-secret', pushed: false, alg: 'RS256' },
  ]) {
    test(`${clientId}: discovery to revocation${pushed ? ' with a pushed request' : ''}`, async () => {
      const party = new Party(path.join(varDir, 'demo', 'ca.pem'))
      const citizen = await Citizen.arrive(browser, { label: clientId, tls: true })
      try {
        const server = await party.ask('discover', { issuer: at.hub, clientId, ...(pushed ? { jwk } : { secret }) })
        assert.equal(server.issuer, at.hub)
        assert.equal(server.authorization_response_iss_parameter_supported, true)
        assert.deepEqual(server.code_challenge_methods_supported, ['S256'])

        const redirectUri = redirectOf(clientId)
        const url = await party.ask('authorize', { redirectUri, scope, pushed })
        if (pushed) {
          assert.deepEqual([...new URL(url).searchParams.keys()].sort(), ['client_id', 'request_uri'])
        }
        const { claims, header, refresh } = await party.ask('callback', { url: await login(citizen, url, redirectUri) })
        assert.equal(claims.aud, clientId)
        assert.equal(claims.iss, at.hub)
        assert.equal(header.alg, alg)
        assert.ok(claims.auth_time > 0)
        assert.ok(refresh, 'no refresh token')

        assert.equal((await party.ask('userinfo')).sub, claims.sub)
        const fresh = await party.ask('refresh')
        assert.equal(fresh.sub, claims.sub)
        assert.ok(fresh.renewed, 'the access token is the same')

        await demo.restart('SIGKILL')
        assert.equal((await party.ask('userinfo')).sub, claims.sub, 'the access token did not outlive the process')
        assert.equal((await party.ask('refresh')).sub, claims.sub, 'the refresh token did not outlive the process')

        await party.ask('revoke')
        await assert.rejects(party.ask('refresh'), { code: 'invalid_grant' })
        await assert.rejects(party.ask('userinfo'))
      } finally {
        party.end()
        await citizen.leave()
      }
    })
  }

  test('the same person has another name at another service', async () => {
    const subs = []
    for (const [clientId, credentials] of [['library-key', { jwk }], ['library-secret', { secret }]]) {
      const party = new Party(path.join(varDir, 'demo', 'ca.pem'))
      const citizen = await Citizen.arrive(browser, { label: `${clientId}-pairwise`, tls: true })
      try {
        await party.ask('discover', { issuer: at.hub, clientId, ...credentials })
        const redirectUri = redirectOf(clientId)
        const url = await party.ask('authorize', { redirectUri, scope, pushed: true })
        subs.push((await party.ask('callback', { url: await login(citizen, url, redirectUri) })).claims.sub)
      } finally {
        party.end()
        await citizen.leave()
      }
    }
    assert.notEqual(subs[0], subs[1])
  })
})
