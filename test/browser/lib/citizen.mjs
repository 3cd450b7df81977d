// A citizen at a browser. Every press and every field filled in is counted;
// every page that is looked at is photographed at the width of a phone and of
// a desk, and checked for what would keep somebody from using it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const screenshots = fileURLToPath(new URL('../screenshots', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const axeTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const phone = { width: 360, height: 740 }
const desk = { width: 1280, height: 900 }

const options = () => ({
  executablePath: execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim(),
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--hide-scrollbars'],
})

export const launch = () => chromium.launch(options())

// permissive is a browser for one citizen that lets frames of one site in another have their cookies, as launch's do not.
export function permissive(dir) {
  let context
  return {
    async newContext(more) {
      await mkdir(path.join(dir, 'Default'), { recursive: true })
      await writeFile(path.join(dir, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0 } }))
      context = await chromium.launchPersistentContext(dir, { ...options(), ...more })
      return context
    },
    close: () => context?.close(),
  }
}

export class Citizen {
  // script: whether pages may run theirs. label: goes into the names of the pictures.
  static async arrive(browser, { script = true, label, tls = false, locale = 'ja-JP' }) {
    const context = await browser.newContext({ javaScriptEnabled: script, locale, viewport: desk, ignoreHTTPSErrors: tls })
    context.setDefaultTimeout(15_000)
    const citizen = new Citizen()
    Object.assign(citizen, { context, script, label, locale, page: await context.newPage(), actions: 0, shown: [], requests: [], violations: [] })
    citizen.page.on('request', (r) => r.isNavigationRequest() && citizen.requests.push(r.url()))
    citizen.page.on('console', (m) => {
      if (m.type() === 'error' && !/the server responded with a status of 4/.test(m.text())) citizen.violations.push(`${citizen.page.url()}: ${m.text()}`)
    })
    citizen.page.on('pageerror', (e) => citizen.violations.push(`${citizen.page.url()}: ${e}`))
    return citizen
  }

  leave() { return this.context.close() }

  // typing an address or using a bookmark is no action on a page
  async open(url) { return this.page.goto(url) }

  // click presses something that leads to another page, and waits for that page:
  // a click alone returns before the browser has moved.
  async click(selector) {
    this.actions++
    await Promise.all([
      this.page.waitForNavigation({ waitUntil: 'load' }),
      this.page.locator(selector).first().click(),
    ])
  }

  async type(selector, text) {
    this.actions++
    await this.page.locator(selector).fill(text)
  }

  async choose(selector, value) {
    this.actions++
    await this.page.locator(selector).selectOption(value)
  }

  // see waits for the selector and looks at the page that has it.
  async see(selector, name) {
    try {
      await this.page.locator(selector).first().waitFor({ state: 'attached' })
    } catch (err) {
      const text = await this.page.locator('body').innerText().catch(() => '')
      throw new Error(`waited for ${selector} (${name}) at ${this.page.url()}, which says:\n${text.slice(0, 1500)}\n${err.message}`)
    }
    await this.look(name)
  }

  async look(name) {
    const { page } = this
    await page.waitForLoadState('load')
    const url = new URL(page.url())
    const title = await page.title()
    const password = await page.locator('input[type=password]').count() > 0
    this.shown.push({ name, path: url.origin + url.pathname, title, password })
    assert.notEqual(title, '', `${name}: no title`)
    assert.equal(await page.locator('html').getAttribute('lang'), this.locale.slice(0, 2), `${name}: not in the citizen's language`)
    assert.equal(await page.locator('main#main').count(), 1, `${name}: main#main`)
    assert.equal(await page.locator('h1').count(), 1, `${name}: one h1`)
    await mkdir(screenshots, { recursive: true })
    for (const size of [phone, desk]) {
      await page.setViewportSize(size)
      await page.screenshot({ path: path.join(screenshots, `${this.label}-${name}-${size.width}.png`), fullPage: true })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} at ${size.width} px scrolls sideways by ${wide} px`)
      if (this.script) await this.axe(`${name} at ${size.width} px`)
    }
    assert.deepEqual(this.violations, [], `${name}: the browser complained`)
  }

  async axe(name) {
    await this.page.evaluate(axe)
    const { violations } = await this.page.evaluate((tags) => globalThis.axe.run(document, {
      runOnly: { type: 'tag', values: tags }, rules: { 'target-size': { enabled: true } }, resultTypes: ['violations'],
    }), axeTags)
    const told = violations.map((v) => `${v.impact}: ${v.id}: ${v.help}\n    ${v.nodes.map((n) => n.html).join('\n    ')}`)
    assert.deepEqual(told, [], `${name}: axe found\n${told.join('\n')}`)
  }

  // count answers how many actions fn took.
  async count(fn) {
    const before = this.actions
    await fn()
    return this.actions - before
  }
}
