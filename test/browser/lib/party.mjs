// A relying party built on openid-client as it comes from the registry, in a
// process of its own because Node reads the CA file only at start. The test
// sends one message per step and gets what the library made of it.
import * as client from 'openid-client'

let config, verifier, state, nonce
let access, refresh, sub

const steps = {
  async discover({ issuer, clientId, jwk, secret }) {
    let authentication
    if (jwk) {
      const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
      const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign'])
      authentication = client.PrivateKeyJwt({ key, kid: jwk.kid })
    } else {
      authentication = client.ClientSecretBasic(secret)
    }
    config = await client.discovery(new URL(issuer), clientId, undefined, authentication)
    return config.serverMetadata()
  },

  async authorize({ redirectUri, scope, pushed, details, wanted }) {
    verifier = client.randomPKCECodeVerifier()
    state = client.randomState()
    nonce = client.randomNonce()
    const parameters = {
      redirect_uri: redirectUri, scope, state, nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
      ...(details ? { authorization_details: JSON.stringify(details) } : {}),
      ...(wanted ? { claims: JSON.stringify(wanted) } : {}),
    }
    const url = pushed ? await client.buildAuthorizationUrlWithPAR(config, parameters) : client.buildAuthorizationUrl(config, parameters)
    return url.href
  },

  async callback({ url }) {
    const tokens = await client.authorizationCodeGrant(config, new URL(url), { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true })
    const claims = tokens.claims();
    ({ access_token: access, refresh_token: refresh } = tokens)
    sub = claims.sub
    return { claims, header: JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url')), refresh: Boolean(refresh), expiresIn: tokens.expires_in, details: tokens.authorization_details }
  },

  // the library compares the answer's sub with the one expected
  userinfo: () => client.fetchUserInfo(config, access, sub),

  // a resource of the hub, with the access token
  async resource({ url }) {
    const answer = await client.fetchProtectedResource(config, access, new URL(url), 'GET')
    return { status: answer.status, body: await answer.json() }
  },

  async refresh() {
    const tokens = await client.refreshTokenGrant(config, refresh)
    const renewed = tokens.access_token !== access
    access = tokens.access_token
    refresh = tokens.refresh_token ?? refresh
    return { sub: tokens.claims()?.sub ?? sub, renewed }
  },

  revoke: () => client.tokenRevocation(config, refresh, { token_type_hint: 'refresh_token' }),
}

process.on('message', async ({ step, input }) => {
  try {
    process.send({ result: await steps[step](input ?? {}) })
  } catch (err) {
    process.send({ error: { message: err.message, code: err.error ?? err.code, status: err.status ?? err.cause?.status, cause: String(err.cause?.stack ?? err.stack) } })
  }
})
