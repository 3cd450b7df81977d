// A person without a mouse.
import assert from 'node:assert/strict'

// tabTo moves the focus to an element by the Tab key alone.
export async function tabTo(who, selector) {
  for (let i = 0; i < 120; i++) {
    if (await who.page.evaluate((s) => document.activeElement?.matches(s) ?? false, selector)) return
    await who.page.keyboard.press('Tab')
  }
  assert.fail(`the Tab key does not reach ${selector} at ${who.page.url()}`)
}

// write replaces what is in a field.
export async function write(who, selector, text) {
  await tabTo(who, selector)
  await who.page.keyboard.press('Control+A')
  await who.page.keyboard.insertText(text)
}

// press presses what leads to another page.
export async function press(who, selector) {
  await tabTo(who, selector)
  await Promise.all([who.page.waitForNavigation({ waitUntil: 'load' }), who.page.keyboard.press('Enter')])
}
