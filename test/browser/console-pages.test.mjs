// The console's pages beside the wizard, against the hub itself: its state, a whole test sign-in, pre-flights, sign-outs, keys, the audit log, citizens
// who call, organisations, operators and tokens for registration. What stops somebody asks for a reason, what is refused keeps what was typed,
// and a viewer is offered nothing that changes anything. Every kind of act is done once with the keyboard alone, and those that need no script without it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import path from 'node:path'
import { addresses, Demo, removeVar, root, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { enterPIN, firstSignIn, refused, signedIn } from './lib/steps.mjs'
import { press, tabTo, write } from './lib/keyboard.mjs'

const at = 'http://localhost:8409'
const { hub } = addresses()

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

  const invite = (name, role) => execFileSync(path.join(root, 'bin', 'hubctl'),
    ['operator', 'invite', '--database', `sqlite:${path.join(varDir, 'hub.db')}`, '--name', name, '--role', role], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

  async function signIn(who, card, code) {
    await who.open(at + '/login')
    await who.click('#card-login')
    await enterPIN(who, card)
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await who.page.locator(question).count()) await who.click(question)
    }
    if (code) {
      await who.type('#code', code)
      await who.click('#join')
    }
    await who.page.locator(signedIn).waitFor()
  }

  test('show how services and the hub do', async () => {
    hanako = await Citizen.arrive(browser, { label: 'oversight' })
    await signIn(hanako, 'hanako', invite('花子', 'editor,approver,security'))
    for (const [name, address, selector] of [
      ['status', '/', '[data-part=database]'],
      ['start', '/clients/postbox/start', 'dl.descriptions'],
      ['impact', '/clients/postbox/impact', '.empty'],
      ['sign-outs', '/clients/postbox/logout', 'h2'],
      ['sessions', '/clients/postbox/sessions', '.empty'],
      ['help', '/help', 'h1'],
    ]) {
      await hanako.open(at + address)
      await hanako.see(selector, name)
      assert.equal(await hanako.page.locator('main').getAttribute('data-error'), null, name)
    }
    await hanako.open(at + '/')
    const said = await hanako.page.locator('main').innerText()
    assert.doesNotMatch(said, /[a-z]+_[a-z]+|checkpoint/, 'the state is told in words of programs')
    // It says when it cannot bring itself up to date, and stands still if somebody wants it to.
    const watched = await hanako.context.newPage()
    await watched.clock.install()
    await watched.goto(at + '/')
    await watched.route(at + '/', (route) => route.abort())
    await watched.clock.runFor(10_000)
    await watched.locator('#follow-said:not(:empty)').waitFor()
    await watched.unroute(at + '/')
    await watched.clock.runFor(10_000)
    await watched.locator('#follow-said:empty').waitFor({ state: 'attached' })
    await watched.locator('#follow-stop').click()
    let asked = 0
    watched.on('request', () => { asked++ })
    await watched.clock.runFor(60_000)
    assert.equal(asked, 0, 'it goes on although it was stopped')
    await watched.close()
  })

  test('run a whole sign-in of a service and explain each step', async () => {
    await hanako.open(at + '/clients/postbox/trial')
    await hanako.see('#start-trial', 'trials')
    await press(hanako, '#start-trial')
    await hanako.see('#trial-go', 'trial-asked')
    assert.equal(await hanako.page.locator('[data-step]').count(), 1)
    await press(hanako, '#trial-go')
    if (await hanako.page.locator('#card-login').count()) {
      await hanako.click('#card-login')
      await enterPIN(hanako, 'hanako')
    }
    await hanako.see('#consent-allow', 'trial-consent')
    await press(hanako, '#consent-allow')
    await hanako.see('[data-step=end]', 'trial-done')
    assert.equal(new URL(hanako.page.url()).search, '', 'the address has the code')
    const steps = await hanako.page.locator('[data-step]').evaluateAll((all) => all.map((e) => [e.dataset.step, e.dataset.ok]))
    assert.deepEqual(steps, ['request', 'return', 'token', 'id_token', 'userinfo', 'end'].map((s) => [s, 'true']), await hanako.page.locator('main').innerText())
    const bare = await hanako.page.locator('[data-step] dl > div').evaluateAll((all) => all.filter((e) => e.querySelectorAll('dd').length < 2).map((e) => e.querySelector('dt').innerText))
    assert.deepEqual(bare, [], 'values that nobody explains')
    assert.doesNotMatch(await hanako.page.locator('main').innerText(), /eyJ[\w-]{20}/, 'a token can be read off the screen')
  })

  test('say where a sign-in stopped', async () => {
    await hanako.open(at + '/clients/postbox/trial')
    await hanako.click('#start-trial')
    await hanako.click('#trial-go')
    await hanako.click('#consent-deny')
    await hanako.see('[data-step=return][data-ok=false]', 'trial-stopped')
    assert.equal(await hanako.page.locator('[data-step]').count(), 2)
  })

  test('show a pre-flight while it runs, and its report', async () => {
    await hanako.open(at + '/clients/postbox/preflights')
    await hanako.see('#start-preflight', 'preflights')
    await press(hanako, '#start-preflight')
    // The script follows it: nobody presses anything.
    await hanako.page.locator('[data-follow=done]').waitFor({ timeout: 60_000 })
    await hanako.see('[data-probe]', 'preflight')
    assert.equal(await hanako.page.locator('[data-verdict=error]').count(), 0, await hanako.page.locator('main').innerText())
    await hanako.page.locator('.banner-ok, .banner-warn').first().waitFor()
    assert.match(await hanako.page.locator('main').innerText(), /始めた人：花子/)
  })

  test('find a citizen by the number on her page, and she sees that somebody looked', async () => {
    const caller = await Citizen.arrive(browser, { label: 'oversight-caller' })
    await firstSignIn(caller, 'taro')
    await caller.open(hub + '/logout?id_token_hint=x') // a page that tells of an error, while she is signed in
    const number = await caller.page.locator('.trace-number').innerText()
    assert.ok(await caller.page.locator('main[data-error]').count(), await caller.page.locator('main').innerText())

    await hanako.open(at + '/citizens')
    await hanako.see('#find', 'citizens')
    await hanako.type('#trouble', '7f3a')
    await hanako.click('#find')
    await hanako.see(refused('invalid'), 'citizens-wrong')
    await write(hanako, '#trouble', number.toLowerCase().replace('-', ' '))
    await write(hanako, '#reason', '本人からの電話（ログアウトできない）')
    await press(hanako, '#find')
    await hanako.see('#end-sessions', 'citizen')
    const shown = await hanako.page.locator('main').innerText()
    assert.match(shown, /エラーの画面が出た/)
    assert.doesNotMatch(shown, /太郎|たろう/, 'support reads a name')

    await caller.open(hub + '/account')
    await caller.see('[data-look]', 'account-looked-at')
    assert.match(await caller.page.locator('section[aria-labelledby=looks]').innerText(), /ログアウトできない/)

    await press(hanako, '#end-sessions')
    await hanako.see('#confirm', 'citizen-end')
    await press(hanako, '#confirm')
    await hanako.see(refused('invalid'), 'citizen-end-wrong')
    await write(hanako, '#reason', '本人の申し出')
    await press(hanako, '#confirm')
    await hanako.see('[role=status]', 'citizen-ended')
    await caller.open(hub + '/account')
    assert.equal(await caller.page.locator(signedIn).count(), 0, 'her session goes on')
    await caller.leave()

    // The number of a page that was shown to nobody who is known is nobody's.
    const stranger = await browser.newContext()
    const page = await stranger.newPage()
    await page.goto(hub + '/authorize?client_id=nobody')
    const theirs = await page.locator('.trace-number').innerText()
    await stranger.close()
    await hanako.open(at + '/citizens?trouble=' + theirs)
    await hanako.type('#reason', 'サービスからの電話')
    await hanako.click('#find')
    await hanako.see('.banner-info', 'citizen-nobody')
    await hanako.open(at + '/citizens')
    await hanako.type('#trouble', '0000-0000')
    await hanako.type('#reason', '本人からの電話')
    await hanako.click('#find')
    await hanako.see(refused('invalid'), 'citizens-not-found')
  })

  test('search, verify, state and hand over the audit log', async () => {
    await hanako.open(at + '/audit')
    await hanako.see('#audit-rows', 'audit')
    await hanako.choose('#kind', 'citizen.looked_at')
    await press(hanako, '#search')
    await hanako.see('#audit-rows', 'audit-found')
    assert.equal(await hanako.page.locator('[data-row]').count(), 1)
    assert.match(await hanako.page.locator('[data-row]').innerText(), /利用者の記録を見た[^]*花子/)
    await tabTo(hanako, '[data-row] summary')
    await hanako.page.keyboard.press('Enter')
    await hanako.look('audit-row')
    const [file] = await Promise.all([hanako.page.waitForEvent('download'), hanako.page.locator('#export').click()])
    const rows = (await readFile(await file.path(), 'utf8')).trim().split('\n').map((line) => JSON.parse(line))
    assert.deepEqual(rows.map((r) => r.kind), ['citizen.looked_at'])
    await hanako.type('#from', '2020-01-01')
    await hanako.type('#to', '2020-01-02')
    await hanako.click('#search')
    await hanako.see('.empty', 'audit-none')
    await press(hanako, '#verify')
    await hanako.see('.banner-ok', 'audit-verified')
    await hanako.open(at + '/audit/checkpoints')
    await press(hanako, '#make-checkpoint')
    await hanako.see('[data-checkpoint]', 'checkpoints')
    const [kept] = await Promise.all([hanako.page.waitForEvent('download'), hanako.page.locator('[data-checkpoint] a').first().click()])
    assert.match(await readFile(await kept.path(), 'utf8'), /^[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  test('announce the next key', async () => {
    await hanako.open(at + '/keys')
    await hanako.see('#keys', 'keys')
    await press(hanako, '[data-rotate=ES256]')
    await hanako.see('#confirm', 'key-rotate')
    await write(hanako, '#reason', '年に1回の切り替え')
    await press(hanako, '#confirm')
    await hanako.see('[data-key-state=next]', 'key-announced')
    assert.equal(await hanako.page.locator('[data-rotate=ES256]').count(), 0, 'a second successor is offered')
  })

  test('take organisations, operators and tokens for registration', async () => {
    await hanako.open(at + '/organisations')
    await hanako.see('#new-organisation', 'organisations')
    await press(hanako, '#new-organisation')
    await write(hanako, '#id', 'Minato City')
    await write(hanako, '#name', '見本市')
    await press(hanako, '#save-organisation')
    await hanako.see(refused('invalid'), 'organisation-wrong')
    assert.equal(await hanako.page.locator('#name').inputValue(), '見本市')
    await write(hanako, '#id', 'ｍｉｎａｔｏ')
    await write(hanako, '#contacts', 'it@minato.example')
    await press(hanako, '#save-organisation')
    await hanako.see('[data-organisation=minato]', 'organisation-saved')

    await hanako.open(at + '/registration-tokens')
    await hanako.see('#new-token', 'tokens-none')
    await press(hanako, '#new-token')
    await hanako.see('#make-token', 'token-new')
    await write(hanako, '#name', 'partner-a')
    await write(hanako, '#days', '400')
    await press(hanako, '#make-token')
    await hanako.see(refused('invalid'), 'token-wrong')
    await write(hanako, '#days', '３０')
    await press(hanako, '#make-token')
    await hanako.see('#made-token', 'token-made')
    const token = await hanako.page.locator('#made-token').innerText()
    const register = (name) => fetch(hub + '/register', {
      method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ client_name: name, redirect_uris: ['https://partner.example/callback'] }),
    })
    assert.equal((await register('パートナー')).status, 201)
    await hanako.open(at + '/registration-tokens')
    await hanako.see('[data-token]', 'tokens')
    assert.doesNotMatch(await hanako.page.content(), new RegExp(token), 'a token is shown again')
    await press(hanako, '[data-token] a')
    await hanako.see('#confirm', 'token-end')
    await press(hanako, '#confirm')
    await hanako.see('[role=status]', 'token-ended')
    assert.equal((await register('遅い人')).status, 401, 'the token is good for more')
  })

  test('work without script, offer a viewer nothing, and tell who is suspended', async () => {
    await hanako.open(at + '/operators/new')
    await hanako.see('#send-invitation', 'operator-new')
    await write(hanako, '#name', '太郎')
    await press(hanako, '#send-invitation')
    await hanako.see('#invitation-code', 'invited')
    const code = await hanako.page.locator('#invitation-code').innerText()
    const taro = await Citizen.arrive(browser, { label: 'oversight-viewer', locale: 'en-GB' })
    await signIn(taro, 'taro', code)
    for (const [name, address, never] of [
      ['operators', '/operators', '#invite'], ['organisations', '/organisations', '#new-organisation'], ['preflights', '/clients/postbox/preflights', '#start-preflight'],
      ['trials', '/clients/postbox/trial', '#start-trial'], ['citizens', '/citizens', '#find'], ['status', '/', '#invite'], ['keys', '/keys', '[data-rotate]'],
      ['audit', '/audit', '#export'], ['checkpoints', '/audit/checkpoints', '#make-checkpoint'], ['tokens', '/registration-tokens', '#new-token'],
    ]) {
      await taro.open(at + address)
      await taro.see('h1', name)
      assert.equal(await taro.page.locator('main').getAttribute('data-error'), null, name)
      assert.equal(await taro.page.locator(never).count(), 0, `a viewer is offered ${never}`)
    }

    // Another browser of hers has no script.
    const plain = await Citizen.arrive(browser, { label: 'oversight-plain', script: false })
    await signIn(plain, 'hanako')
    await plain.open(at + '/clients/postbox/trial')
    await plain.click('#start-trial')
    await plain.click('#trial-go')
    await plain.click('#consent-allow')
    await plain.see('[data-step=end][data-ok=true]', 'trial')
    await plain.open(at + '/audit')
    await plain.click('#verify')
    await plain.see('.banner-ok', 'audit-verified')
    await plain.open(at + '/operators')
    await plain.see('#operators', 'operators')
    assert.equal(await plain.page.locator('[data-operator]', { hasText: '花子' }).locator('a').count(), 0, 'somebody is offered to change herself')
    const row = plain.page.locator('[data-operator]', { hasText: '太郎' })
    await Promise.all([plain.page.waitForNavigation(), row.locator('a[href$="/suspend"]').click()])
    await plain.click('#confirm')
    await plain.see(refused('invalid'), 'suspend-wrong')
    await plain.type('#reason', '異動したため')
    await plain.click('#confirm')
    await plain.see('[role=status]', 'suspended')
    await plain.leave()
    await taro.open(at + '/clients')
    await taro.see(refused('suspended'), 'suspended')
    await taro.click('#sign-out')
    assert.equal(new URL(taro.page.url()).origin, hub, 'signing out does not reach the hub')
    await taro.open(at + '/')
    await taro.see('#sign-in', 'signed-out')
    await taro.leave()
  })
})
