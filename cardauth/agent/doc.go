// Package agent is the card app: a program on the citizen's own computer that shows who asks for a card login, takes
// the PIN, lets the card sign, and sends the browser back to the hub. It is the only origin that touches the card,
// and it is reached by redirect, so no page script is needed.
//
//	browser → agent   GET  /login?challenge=<hub>/card/challenges/{id}
//	agent   → hub     GET  that address                     → signed JWT, typ card-challenge+jwt
//	agent   → browser the PIN page: service, hub, level, tries left; a page token
//	browser → agent   POST /login                           page token, card, PIN
//	agent   ↔ card    VERIFY once, sign once
//	agent   → hub     POST that address                     compact JWS, typ card-response+jwt
//	agent   → browser 303 to the address the hub named, on the hub's own origin
//
// What protects the citizen, and where:
//
//   - Only configured hubs are believed. The challenge's address has to be a hub's origin followed by
//     /card/challenges/{id} (challenge_url.go), its content is signed by a key of that hub (hub.go, challenge.go).
//   - What is signed is what was shown. The response is built from the challenge kept on this side since the page
//     was made (pages.go), never from anything the browser sends (response.go).
//   - A page works once. Its token is random, belongs to one challenge, and a hundred posts of it make one signature
//     (pages.go). Other sites cannot post at all.
//   - Other sites cannot look: a foreign Host is refused (DNS rebinding), and so is every request that is not a whole
//     page of its own, in a frame or by a script (guard.go). There is no CORS header on any answer.
//   - The PIN is read from the form and given to the card. It is in no answer, error, log or journal entry. It is
//     parsed before the card is touched, and the last try needs a confirmation of its own.
//
// The program trusts the computer it runs on: a page of its own has no defence against another program of the same
// citizen.
//
// The package knows no reader. What holds the cards is a Reader; the cards of the demo are in the package drawer.
package agent
