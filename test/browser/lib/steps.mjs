// The steps of a citizen's day, in the elements the demo promises.
import { addresses } from './demo.mjs'

export const pin = '1234'
export const etaxAccount = { number: '1234567890123456', password: 'etax-demo' }
export const signedIn = 'main[data-signed-in]'
export const refused = (reason) => `main[data-error="${reason}"]`

// toCardApp goes from the portal's front page to the card app.
export async function toCardApp(who, at = addresses()) {
  await who.open(at.portal + '/')
  await who.see('#sign-in', 'portal-front')
  await who.click('#sign-in')
  await who.see('#card-login', 'hub-login')
  await who.click('#card-login')
  await who.see('input[name=pin]', 'card-app')
}

// enterPIN answers the card app with a card of the drawer.
export async function enterPIN(who, card = 'taro', digits = pin) {
  await who.choose('select[name=card]', card)
  await who.type('input[name=pin]', digits)
  await who.click('#pin-submit')
}

// firstSignIn goes all the way from the portal's front page to being signed in there for the first time.
export async function firstSignIn(who, card = 'taro') {
  await toCardApp(who)
  await enterPIN(who, card)
  await who.see('#open-folder', 'hub-folder')
  await who.click('#open-folder')
  await who.see('#consent-allow', 'hub-consent-portal')
  await who.click('#consent-allow')
  await who.see(signedIn, 'portal-home')
}

// signIn is every later time: the folder is open and the consent given.
export async function signIn(who, card = 'taro') {
  await toCardApp(who)
  await enterPIN(who, card)
  await who.see(signedIn, 'portal-home-again')
}

// linkETax ties the e-Tax account, once.
export async function linkETax(who) {
  await who.click('[data-link="etax"]')
  await who.see('#consent-allow', 'hub-consent-etax')
  await who.click('#consent-allow')
  await who.see('#bind', 'etax-bind')
  await who.type('input[name=number]', etaxAccount.number)
  await who.type('input[name=password]', etaxAccount.password)
  await who.click('#bind')
  await who.see(signedIn, 'etax-home')
}

// launchETax presses the one button.
export async function launchETax(who, name = 'etax-home-again') {
  await who.click('[data-launch="etax"]')
  await who.see(signedIn, name)
}

// draftReturn goes from e-Tax's home to the page of a return that could be sent.
export async function draftReturn(who) {
  await who.click('#new-return')
  await who.see('#return-check', 'etax-return-form')
  await who.type('input[name=salary]', '５，０００，０００円')
  await who.type('input[name=withheld]', '百')
  await who.click('#return-check')
  await who.see(refused('input_missing'), 'etax-return-form-wrong')
  await who.type('input[name=withheld]', '120,000')
  await who.type('input[name=social]', '700000')
  await who.click('#return-check')
  await who.see('#return-send', 'etax-return-draft')
}

// toSignReturn goes from there to the hub's page about the document.
export async function toSignReturn(who) {
  await who.click('#return-send')
  await who.see('[data-detail=signature]', 'hub-consent-signature')
  await who.click('#consent-allow')
  await who.see('#sign-start', 'hub-sign')
}

// signReturn signs in the card app.
export async function signReturn(who, card) {
  await who.click('#sign-start')
  if (await who.page.locator('select[name=card]').count()) await who.choose('select[name=card]', card)
  await who.see('input[name=password]', 'card-app-sign')
  await who.type('input[name=password]', 'abc123')
  await who.click('#sign-submit')
}
