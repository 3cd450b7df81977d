// An operator invited by the command line registers a service in the console's wizard, with the keyboard alone; a second one approves. What is
// wrong is told at its field, a conflict shows both versions, and a secret is seen once.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import path from 'node:path'
import { Demo, removeVar, root, tempVar } from './lib/demo.mjs'
import { Citizen, launch } from './lib/citizen.mjs'
import { press, tabTo, write } from './lib/keyboard.mjs'
import { enterPIN, refused, signedIn } from './lib/steps.mjs'

const console_ = 'http://localhost:8409'

describe('the console', { timeout: 180_000 }, () => {
  let browser, demo, varDir, hanako, taro, base

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

  // signIn goes through the hub to the console, and types the invitation there.
  async function signIn(who, card, code) {
    await who.open(console_ + '/')
    await who.see('#sign-in', 'start')
    await who.click('#sign-in')
    await who.click('#card-login')
    await enterPIN(who, card)
    for (const question of ['#open-folder', '#consent-allow']) {
      if (await who.page.locator(question).count()) await who.click(question)
    }
    await who.see('#code', 'join')
    await who.type('#code', 'AAAABBBBCCCCDDDD')
    await who.click('#join')
    await who.see(refused('code_wrong'), 'join-wrong')
    await who.type('#code', code.toLowerCase())
    await who.click('#join')
    await who.see(signedIn, 'home')
  }

  test('lets an invited operator register a service with the keyboard alone', async () => {
    hanako = await Citizen.arrive(browser, { label: 'console' })
    await signIn(hanako, 'hanako', invite('花子', 'editor,approver,security'))
    await hanako.open(console_ + '/clients')
    await hanako.see('#new-service', 'clients')
    await press(hanako, '#new-service')
    await hanako.see('#next', 'new')
    await press(hanako, '#next')
    await hanako.see(refused('invalid'), 'new-wrong')
    await tabTo(hanako, '#kind-web')
    await hanako.page.keyboard.press('Space')
    await write(hanako, '#client_id', 'postbox')
    await press(hanako, '#next')
    await hanako.see(refused('invalid'), 'new-taken')
    assert.match(await hanako.page.locator('#client_id-error').innerText(), /すでに使われています/)
    await write(hanako, '#client_id', 'toshokan-yoyaku')
    await press(hanako, '#next')

    await hanako.see('#client_name', 'names')
    await write(hanako, '#client_name', '見本市 図書館予約')
    assert.equal(await hanako.page.locator('[data-preview=client_name]').first().innerText(), '見本市 図書館予約', 'the sample of the consent page does not follow')
    await write(hanako, '#client_name_en', 'Sample City Library')
    await press(hanako, '#save')
    await hanako.see(refused('invalid'), 'names-wrong')
    assert.equal(await hanako.page.locator('#client_name').inputValue(), '見本市 図書館予約', 'what was typed is lost')
    await write(hanako, '#operator', '見本市役所')
    await write(hanako, '#description', '本を予約できます。')
    await press(hanako, '#save')

    await hanako.see('#redirect_uris', 'addresses')
    await write(hanako, '#redirect_uris', 'http://library.example.jp/callback\nhttps://library.example.jp/*')
    await press(hanako, '#save')
    await hanako.see(refused('invalid'), 'addresses-wrong')
    const wrong = await hanako.page.locator('#redirect_uris-error').innerText()
    assert.match(wrong, /1行目/)
    assert.match(wrong, /2行目/)
    await write(hanako, '#redirect_uris', 'ｈｔｔｐｓ://library.example.jp/callback')
    await press(hanako, '#save')

    await hanako.see('#scope', 'data')
    await write(hanako, '#purposes-openid', '予約をあなたのものと見分けるため')
    await press(hanako, '#save')

    await hanako.see('#token_endpoint_auth_method', 'proof')
    await press(hanako, '#save')
    await hanako.see(refused('invalid'), 'proof-wrong')
    await tabTo(hanako, '#make-key-go')
    await hanako.page.keyboard.press('Enter')
    await hanako.page.locator('#make-key-file:not([hidden])').waitFor()
    await hanako.look('proof-made')
    const [download] = await Promise.all([hanako.page.waitForEvent('download'), tabTo(hanako, '#make-key-file').then(() => hanako.page.keyboard.press('Enter'))])
    const pem = await (await download.createReadStream()).toArray().then((all) => Buffer.concat(all).toString())
    assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/)
    const secret = pem.split('\n')[1]
    const sent = []
    hanako.page.on('request', (r) => sent.push(r.url() + (r.postData() ?? '')))
    await press(hanako, '#save')
    assert.ok(sent.length > 0 && sent.every((s) => !decodeURIComponent(s).includes(secret)), 'the private key left the browser')

    await hanako.see('#request', 'check')
    await write(hanako, '#note', '予約サイトを始めるため')
    await press(hanako, '#request')
    await hanako.see('#open-draft', 'requested')
    await hanako.click('#open-draft')
    await hanako.see('#own-draft', 'own')
    assert.equal(await hanako.page.locator('#approve').count(), 0, 'who wrote it can approve it')
  })

  test('has a second operator approve', async () => {
    const address = hanako.page.url()
    taro = await Citizen.arrive(browser, { label: 'console-second', locale: 'en-GB' })
    await signIn(taro, 'taro', invite('太郎', 'editor,approver,security'))
    await taro.open(address)
    await taro.see('#approve', 'decide')
    await taro.type('#exception', '短い')
    await taro.click('#approve')
    await taro.see(refused('invalid'), 'decide-wrong')
    assert.equal(await taro.page.locator('#exception').inputValue(), '短い')
    await taro.type('#exception', '見本のサービスで、まだ動いていないため')
    await taro.click('#approve')
    await taro.see('[role=status]', 'approved')
    for (const tab of ['settings', 'secrets', 'versions', 'versions/1', 'suspend', 'logo', 'edit/rules', 'edit/whole']) {
      await taro.open(address.replace(/\/draft$/, '/' + tab))
      await taro.see(signedIn, 'service-' + tab.replace('/', '-'))
    }
  })

  test('shows both versions when two operators edit at once', async () => {
    const base = taro.page.url().replace(/\/edit\/.*$/, '')
    await hanako.open(base + '/edit/names')
    await taro.open(base + '/edit/names')
    await hanako.type('#description', '本を予約して、延長できます。')
    await taro.type('#description', '本とCDを予約できます。')
    await hanako.click('#save')
    await hanako.see('#changes', 'diff')
    await taro.click('#save')
    await taro.see(refused('conflict'), 'conflict')
    assert.equal(await taro.page.locator('#description').inputValue(), '本とCDを予約できます。')
    assert.match(await taro.page.locator('[data-theirs=description]').innerText(), /本を予約して、延長できます。/)
    assert.match(await taro.page.locator('#conflict').innerText(), /花子 changed it/)
    await taro.click('#save')
    await taro.see('#changes', 'conflict-solved')
    assert.match(await taro.page.locator('[data-member=description]').innerText(), /本とCDを予約できます。/)
  })

  test('takes a logo, and keeps what was typed when the sign-in was over', async () => {
    base = taro.page.url().replace(/\/draft$/, '')
    await taro.open(base + '/draft/discard')
    await taro.see('#discard', 'discard')
    await taro.click('#discard')
    await taro.see('[role=status]', 'discarded')

    await hanako.open(base + '/logo')
    const script = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    await hanako.page.locator('#logo').setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from(script) })
    await hanako.click('#upload')
    await hanako.see(refused('invalid'), 'logo-wrong')
    const picture = await hanako.page.screenshot({ clip: { x: 0, y: 0, width: 64, height: 64 } })
    await hanako.page.locator('#logo').setInputFiles({ name: 'logo', mimeType: 'image/png', buffer: picture })
    await hanako.click('#upload')
    await hanako.see('[data-member=logo]', 'logo-taken')

    await hanako.open(base + '/edit/names')
    await hanako.type('#description', '遅れて送った説明です。')
    await hanako.context.clearCookies({ name: /console.*session/ })
    await hanako.click('#save')
    await hanako.click('#card-login')
    await enterPIN(hanako, 'hanako')
    await hanako.see('[role=status]', 'kept')
    assert.equal(await hanako.page.locator('#description').inputValue(), '遅れて送った説明です。')
    await hanako.click('#save')
    assert.match(await hanako.page.locator('[data-member=description]').innerText(), /遅れて送った説明です。/)
  })

  test('shows a secret once, and has one follow the other', async () => {
    await hanako.open(base + '/edit/proof')
    await hanako.choose('#token_endpoint_auth_method', 'client_secret_basic')
    await hanako.type('#jwks', '')
    await hanako.click('#save')
    await hanako.type('#note', '秘密に変えるため')
    await hanako.click('#request')
    await taro.open(base + '/draft')
    await taro.type('#exception', '見本のサービスで、まだ動いていないため')
    await taro.click('#approve')
    await taro.page.locator('[role=status]').waitFor()

    const values = []
    for (const turn of ['first', 'next']) {
      await hanako.open(base + '/secrets')
      await hanako.click('#new-secret')
      await hanako.see('#make-secret', `secret-new-${turn}`)
      await hanako.click('#make-secret')
      values.push(await hanako.page.locator('#secret-value').innerText())
      if (turn === 'first') await hanako.see('#secret-value', 'secret-made')
      await hanako.page.locator('#saved').check()
      await hanako.click('#saved-go')
    }
    assert.match(values[0], /^[A-Za-z0-9_-]{43,}$/)
    assert.notEqual(values[0], values[1])
    await hanako.see('[data-secret]', 'secrets-two')
    assert.equal(await hanako.page.locator('[data-secret]').count(), 2)
    const page = await hanako.page.content()
    assert.ok(values.every((v) => !page.includes(v)), 'a secret is shown again')
    await hanako.click('[data-secret]:last-child a')
    await hanako.see('#end-secret', 'secret-end')
    await hanako.click('#end-secret')
    await hanako.see('[role=status]', 'secret-ended')
  })

  test('goes back to an earlier version, and stops, resumes and ends the service', async () => {
    await taro.open(base + '/versions')
    await taro.see('#compare', 'versions-two')
    assert.doesNotMatch(await taro.page.locator('#versions').innerText(), /op-/, 'an operator is a number')
    await taro.choose('#from', '1')
    await taro.click('#compare')
    await taro.see('#changes', 'version-diff')
    await taro.open(base + '/back?version=1')
    await taro.see('#go-back', 'go-back')
    await taro.type('#reason', '秘密をまだ渡していないため')
    await taro.click('#go-back')
    await taro.page.locator('[role=status]').waitFor()
    for (const [act, shown] of [['suspend', 'suspended'], ['resume', 'resumed'], ['suspend', ''], ['retire', 'retired']]) {
      await taro.open(`${base}/${act}`)
      if (act === 'resume' || act === 'retire') await taro.see('#' + act, act)
      await taro.type('#reason', '試しに止めています')
      if (act === 'retire') {
        await taro.click('#retire')
        await taro.see(refused('invalid'), 'retire-wrong')
        await taro.type('#confirm', base.split('/').at(-1))
      }
      await taro.click('#' + act)
      if (shown) await taro.see('[role=status]', shown)
    }
  })

  test('signs out, at the hub too', async () => {
    await hanako.open(console_ + '/')
    await hanako.click('#sign-out')
    await hanako.click('#logout-service')
    await hanako.see('main', 'signed-out')
    assert.equal(hanako.page.url().split('?')[0], console_ + '/signed-out')
  })
})
