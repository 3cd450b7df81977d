/*
 * The login on a computer through a phone: pairing, turning QR code, number, card on the phone, question on the computer.
 * README.md says what is modelled, what is left out, and how to read a counterexample.
 *
 * The citizen V scans whatever picture reaches her and gives her card to whatever her phone asks for. She types a number only
 * as she reads it on the hub's page on her own computer, and says on her computer that a card is hers only if it is. A is the
 * attacker: computer, phone, valid card. He sees V's screen, pictures and number included, and passes his pictures on at once.
 *
 * NO_… takes a defence away; SLOW takes time to pass pictures on. TYPES_ANY, SAYS_YES and LEAK_… drop what is assumed of
 * citizens and channels. REACH=p asks whether p can log in at all.
 */

#define V 0
#define A 1
#define NOBODY 255

#ifndef P
#define P 3 /* logins, with a pairing each: 2 or 3 */
#endif
#ifndef C
#define C 3 /* challenges */
#endif

/* Where a pairing stands: idp/pairing.go. */
#define SHOWN 1
#define SCANNED 2
#define MATCHED 3
#define SIGNED 4
#define OVER 5

/* What a challenge or a code is. */
#define LIVE 1
#define SPENT 2

/* The hub's records. Each pairing has a number that no other has. The code of challenge n has the number n too. */
byte state[P]; byte computer[P]; byte phone[P]; byte proof[P]; byte pairings;
byte chPairing[C]; byte chState[C]; byte cdState[C]; byte cdPerson[C]; byte chs;

/* What really happened, for the properties only: who typed the number, reading it on whose screen. */
byte typedBy[P]; bit readOnOwn[P]; byte logins[P];

/* What the attacker knows. */
bit knowsChallenge[C]; bit knowsCode[C];

#if P > 2
#define eachPairing(x) x(0) x(1) x(2)
#define eachNumber(x, p) x(p, 0) x(p, 1) x(p, 2)
#else
#define eachPairing(x) x(0) x(1)
#define eachNumber(x, p) x(p, 0) x(p, 1)
#endif
#define eachChallenge(x) x(0) x(1) x(2)

#if defined(NO_ROTATION) || defined(NO_MAC)
#define oldFits true /* either the picture never gets old, or he draws a young one himself */
#else
#define oldFits false
#endif
#ifdef SLOW
#define atOnce false
#else
#define atOnce true
#endif
#ifdef NO_SCAN_ONCE
#define mayScan(p) (state[p] == SHOWN || state[p] == SCANNED || state[p] == MATCHED)
#else
#define mayScan(p) (state[p] == SHOWN)
#endif
#ifdef NO_NUMBER
#define numberFits(p, n) true
#else
#define numberFits(p, n) (p == n)
#endif
#ifdef NO_PHONE_COOKIE
#define ownPhone(p, me) true
#else
#define ownPhone(p, me) (phone[p] == me)
#endif
#ifdef NO_COMPUTER_COOKIE
#define ownComputer(p, me) true
#else
#define ownComputer(p, me) (computer[p] == me)
#endif
#if defined(NO_QUESTION) || defined(SAYS_YES)
#define saysYes(p, me) true
#else
#define saysYes(p, me) (me == A || proof[p] == me)
#endif
#ifdef NO_SPEND
#define spend(p) skip
#else
#define spend(p) state[p] = OVER
#endif

#ifdef LEAK_RETURN
#define leakReturn(n) knowsCode[n] = 1
#else
#define leakReturn(n) skip
#endif

/* POST /login/phone on the computer of b. */
#define begin(b) d_step { pairings < P -> state[pairings] = SHOWN; computer[pairings] = b; phone[pairings] = NOBODY; proof[pairings] = NOBODY; typedBy[pairings] = NOBODY; pairings++ }

/* GET /phone/{frame} on the phone of me; fits is whether the picture is still good. */
#define scan(p, me, fits) d_step { p < pairings && mayScan(p) && phone[p] != me && (fits) -> phone[p] = me; if :: state[p] == SHOWN -> state[p] = SCANNED :: else -> skip fi }

/* POST /phone/number: n is the pairing whose number is typed, which a screen must be showing. A wrong number ends the pairing. */
#ifdef TYPES_ANY
#define canRead(n, me) (state[n] == SCANNED)
#else
#define canRead(n, me) (state[n] == SCANNED && (me == A || computer[n] == me))
#endif
#define type(p, n, me) d_step { p < pairings && n < pairings && state[p] == SCANNED && ownPhone(p, me) && canRead(n, me) -> if :: numberFits(p, n) -> state[p] = MATCHED; typedBy[p] = me; readOnOwn[p] = (computer[n] == me) :: else -> state[p] = OVER fi }

/* POST /phone/card: a challenge for this pairing. */
#define ask(p, me) p < pairings && state[p] == MATCHED && ownPhone(p, me) && chs < C -> chPairing[chs] = p; chState[chs] = LIVE; chs++

/* The card app on the phone of me: the challenge is spent, and the code goes to that phone's browser. samedevice.pml has the steps of this. */
#define sign(n, me) chState[n] == LIVE -> chState[n] = SPENT; cdState[n] = LIVE; cdPerson[n] = me

/* GET /phone/return on the phone of me. */
#define arrive(n, me) cdState[n] == LIVE -> cdState[n] = SPENT; knowsCode[n] = 1; if :: ownPhone(chPairing[n], me) && state[chPairing[n]] == MATCHED -> state[chPairing[n]] = SIGNED; proof[chPairing[n]] = cdPerson[n] :: else -> skip fi

/* POST /login/phone/end on the computer of b: yes, the card is mine; or no, and it is over. */
inline finish(p, b) {
	d_step {
		p < pairings && state[p] == SIGNED && ownComputer(p, b) ->
		if
		:: saysYes(p, b) ->
			spend(p);
			logins[p]++;
#ifdef REACH
			assert(b != REACH);
#endif
			assert(proof[p] == b); /* P1: a browser is logged in as its owner, */
			assert(computer[p] == b); /* which began this login, */
			assert(typedBy[p] == b && readOnOwn[p]); /* and she typed the number as she read it on this browser's screen */
			assert(logins[p] <= 1) /* P2: a pairing logs in once */
		:: else -> state[p] = OVER
		fi
	}
}

#define YES(p) :: finish(p, me)

/* V at her computer and with her phone. */
proctype Citizen(byte me) {
end:	do
	:: begin(me)
#define SCAN(p) :: scan(p, me, computer[p] == me || atOnce || oldFits)
	eachPairing(SCAN) /* her own computer's picture, or one that the attacker passed on */
#define TYPE(p, n) :: type(p, n, me)
#define NUMBER(p) eachNumber(TYPE, p)
	eachPairing(NUMBER)
#define ASK(p) :: d_step { ask(p, me) }
	eachPairing(ASK)
#define OWN(n) :: d_step { n < chs && ownPhone(chPairing[n], me) && sign(n, me); leakReturn(n) }
#define LURED(n) :: d_step { n < chs && knowsChallenge[n] && sign(n, me); leakReturn(n) }
	eachChallenge(OWN)
	eachChallenge(LURED) /* the attacker sent her card app to a challenge */
#define BACK(n) :: d_step { n < chs && cdPerson[n] == me && arrive(n, me) }
#define SENT(n) :: d_step { n < chs && knowsCode[n] && arrive(n, me) }
	eachChallenge(BACK)
	eachChallenge(SENT) /* the attacker sent her phone to a return address */
	eachPairing(YES)
	od
}

proctype Attacker(byte me) {
end:	do
	:: begin(me)
#define PHOTO(p) :: scan(p, me, true)
	eachPairing(PHOTO)
	eachPairing(NUMBER)
#define ASKS(p) :: d_step { ask(p, me); knowsChallenge[chs - 1] = 1 }
	eachPairing(ASKS)
#define SIGNS(n) :: d_step { n < chs && knowsChallenge[n] && sign(n, me); knowsCode[n] = 1 }
	eachChallenge(SIGNS)
#define TRY(n) :: d_step { n < chs && knowsCode[n] && arrive(n, me) }
	eachChallenge(TRY)
	eachPairing(YES)
#ifdef LEAK_CHALLENGE
#define LEARN(n) :: d_step { n < chs && !knowsChallenge[n] -> knowsChallenge[n] = 1 }
	eachChallenge(LEARN)
#endif
	od
}

init {
	atomic { run Citizen(V); run Attacker(A) }
}
