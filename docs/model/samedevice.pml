/*
 * The card login on one device: transaction, challenge, response, return code, session.
 * README.md says what is modelled, what is left out, and how to read a counterexample.
 *
 * The citizens V and W confirm whatever their card app shows them, also what somebody lured them to. A is the attacker: he
 * has a browser, a valid card and a service of his own, and a second hub that citizens' card apps trust.
 *
 * NO_… takes a defence away. LEAK_… and PLANT_… give the attacker what he is assumed not to have. REACH=p asks whether p
 * can log in at all.
 */

#define V 0
#define W 1
#define A 2
#define PEOPLE 3
#define NOBODY 255

/* The size: 2 or 3 transactions, 2 or 3 challenges. */
#ifndef T
#define T 2
#endif
#ifndef C
#define C 2
#endif
#define K (C + 1) /* codes: one more than challenges, so that a surplus one can be seen */
/* V alone, or with TWO_TABS, or with TWO_CITIZENS and W; with TWO_ATTACKERS the attacker can race himself. */

/* What a challenge or a code is. */
#define LIVE 1
#define SPENT 2

/* The hub's records. A challenge's service is its transaction's. */
byte txCookie[T]; bit txService[T]; bit txOver[T]; byte txs;
byte chTx[C]; byte chState[C]; byte chs;
byte cdCh[K]; byte cdPerson[K]; byte cdState[K]; byte cds;
byte sessionOf[T + 2]; byte sessions = 1; /* number 0 is no session */

/* Browsers, one per person: the cookie that tells it from others, and the session it holds. */
byte cookie[PEOPLE]; byte held[PEOPLE];

/* What really happened, for the properties only. */
byte txBrowser[T]; byte chCodes[C]; byte chSessions[C]; byte cdTaken[K]; byte cdNonce[K]; bit cdShown[K];

/* What the attacker knows: addresses of challenges and of returns; for each challenge whose response of ours he has, and what it says. */
bit knowsChallenge[C]; bit knowsCode[K]; bit knowsResponse[2 * 2 * C];
#define RESPONSE(p, n, shown) (((p) * 2 + (shown)) * C + (n))

/*
 * A response is (person, nonce, shown service, hub). Nobody makes one without the card. He has: his own, to anything he has seen;
 * what his own hub asked any citizen to sign, with the nonce and the name of his choice; and what he learned.
 */
#define has(p, n, shown, hub) ((p == A && knowsChallenge[n]) || (hub == 1 && knowsChallenge[n]) || (p != A && hub == 0 && knowsResponse[RESPONSE(p, n, shown)]))

/* What the hub compares. The digest is of the whole challenge, so it covers nonce, service and hub. */
#ifdef NO_NONCE
#define nonceFits(ch, n) true
#else
#define nonceFits(ch, n) (n == ch)
#endif
#ifdef NO_DIGEST
#define digestFits(ch, n, shown, hub) true
#else
#define digestFits(ch, n, shown, hub) (n == ch && shown == txService[chTx[ch]] && hub == 0)
#endif
#ifdef NO_CLIENT
#define clientFits(ch, shown) true
#else
#define clientFits(ch, shown) (shown == txService[chTx[ch]])
#endif
#ifdef NO_AUDIENCE
#define audienceFits(hub) true
#else
#define audienceFits(hub) (hub == 0)
#endif
#define fits(ch, n, shown, hub) (nonceFits(ch, n) && digestFits(ch, n, shown, hub) && clientFits(ch, shown) && audienceFits(hub))
#ifdef NO_COOKIE
#define cookieFits(b, k) true
#else
#define cookieFits(b, k) (txCookie[chTx[cdCh[k]]] == cookie[b])
#endif

/* Alternatives, one for each transaction, challenge or code. */
#if T > 2
#define eachTx(x) x(0) x(1) x(2)
#else
#define eachTx(x) x(0) x(1)
#endif
#if C > 2
#define eachChallenge(x) x(0) x(1) x(2)
#define eachPair(x, a) x(a, 0) x(a, 1) x(a, 2)
#define eachCode(x) x(0) x(1) x(2) x(3)
#else
#define eachChallenge(x) x(0) x(1)
#define eachPair(x, a) x(a, 0) x(a, 1)
#define eachCode(x) x(0) x(1) x(2)
#endif

/* GET /authorize: a login starts, at a service. */
#define begin(b, service) d_step { txs < T -> txService[txs] = service; txCookie[txs] = cookie[b]; txBrowser[txs] = b; txs++ }

/* POST /login/card for transaction t: allowed to its browser. The new challenge is chs - 1. */
#define mayPress(b, t) (chs < C && t < txs && txCookie[t] == cookie[b] && !txOver[t])
#define challenge(t) chTx[chs] = t; chState[chs] = LIVE; chs++

/*
 * POST /card/challenges/{ch}: read; then swap, judge, and give out a code. Others may come in between. fit says whether the response fits,
 * which nothing changes meanwhile; code becomes the code, or NOBODY.
 */
inline answer(ch, who, nonce, name, fit, code) {
	if :: chState[ch] == LIVE -> code = 0 :: else -> code = NOBODY fi;
	d_step {
		if
		:: code == NOBODY -> skip
#ifdef NO_SWAP
		:: else -> chState[ch] = SPENT
#else
#ifdef NO_TAKE_ONCE
		:: else -> skip
#else
		:: code == 0 && chState[ch] == LIVE -> chState[ch] = SPENT
		:: code == 0 && chState[ch] != LIVE -> code = NOBODY
#endif
#endif
		fi;
		if
		:: code == 0 && fit && cds < K ->
			code = cds; cdCh[code] = ch; cdPerson[code] = who; cdNonce[code] = nonce; cdShown[code] = name; cdState[code] = LIVE; cds++;
			chCodes[ch]++;
			assert(chCodes[ch] <= 1) /* P2: a challenge gives at most one code */
		:: else -> code = NOBODY
		fi
	}
}

/* GET /login/return?code=… in browser b: take the code; then look at the cookie, move the transaction, open a session. */
inline arrive(b, code, ok) {
	d_step {
		if
		:: cdState[code] == LIVE ->
			ok = 1;
#ifndef NO_CODE_ONCE
			cdState[code] = SPENT;
#endif
			cdTaken[code]++;
			assert(cdTaken[code] <= 1) /* P3: a code is taken at most once */
		:: else -> skip
		fi
	};
	d_step {
		if
		:: ok && cookieFits(b, code) && !txOver[chTx[cdCh[code]]] ->
			txOver[chTx[cdCh[code]]] = 1;
			chSessions[cdCh[code]]++;
			assert(chSessions[cdCh[code]] <= 1); /* P2: and at most one session */
			assert(cdPerson[code] == b); /* P1: a browser is logged in as its owner, */
			assert(cdNonce[code] == cdCh[code]); /* who signed this very challenge, */
			assert(txBrowser[chTx[cdCh[code]]] == b); /* which belongs to a login that this browser started, */
			assert(cdShown[code] == txService[chTx[cdCh[code]]]); /* P4: for the service that she was shown */
#ifdef NO_NEW_SECRET
			if :: held[b] == 0 -> held[b] = sessions; sessions++ :: else -> skip fi;
#else
			held[b] = sessions; sessions++;
#endif
			sessionOf[held[b]] = cdPerson[code];
#ifdef REACH
			assert(b != REACH);
#endif
			assert(held[A] == 0 || sessionOf[held[A]] == A) /* P5: the attacker's browser holds nobody else's session */
		:: else -> skip
		fi;
		knowsCode[code] = 1; /* from her history, now that it is spent */
		ok = 0; code = 0
	}
}

#ifdef NO_CHALLENGE_SIGNATURE
#define mayShow(ch, name) true
#else
#define mayShow(ch, name) (name == txService[chTx[ch]])
#endif
#ifdef LEAK_RESPONSE
#define leakResponse knowsResponse[RESPONSE(me, c, shown)] = 1
#else
#define leakResponse skip
#endif
#ifdef LEAK_RETURN
#define leakReturn knowsCode[k] = 1
#else
#define leakReturn skip
#endif

/* A tab of a citizen's browser, and her card app, which fetches a challenge and shows what it says. She gives her PIN. */
proctype Tab(byte me) {
	byte c, k; bit shown, ok;
end:	do
	:: begin(me, 0)
	:: begin(me, 1)
#define OWN(t) :: d_step { mayPress(me, t) -> challenge(t); c = chs - 1; shown = txService[t]; leakResponse } -> goto sign
	eachTx(OWN) /* a login of her own */
#define LURED(n, name) :: d_step { n < chs && knowsChallenge[n] && chState[n] == LIVE && mayShow(n, name) -> c = n; shown = name; leakResponse } -> goto sign
#define LURE(n) LURED(n, 0) LURED(n, 1)
	eachChallenge(LURE) /* the attacker sent her to a challenge */
#define SENT(n) :: d_step { n < cds && knowsCode[n] && cdState[n] == LIVE -> k = n } -> goto back
	eachCode(SENT) /* the attacker sent her to a return address */
	od;
sign:	answer(c, me, c, shown, fits(c, c, shown, 0), k);
	d_step { knowsResponse[RESPONSE(me, c, shown)] = 1; c = 0; shown = 0 } /* it is spent, so the attacker may have it */
	if
	:: d_step { k == NOBODY -> k = 0 } -> goto end
	:: d_step { else -> leakReturn }
	fi;
back:	arrive(me, k, ok);
	goto end
}

proctype Attacker() {
	byte c, k, n, p; bit shown, ok;
end:	do
	:: begin(A, 0)
	:: begin(A, 1)
#define ASK(t) :: d_step { mayPress(A, t) -> challenge(t); knowsChallenge[chs - 1] = 1 }
	eachTx(ASK)
	/* Any response he has, to any challenge he knows. One that does not fit only spends the challenge. */
#define RESPOND(ch, no, who, name, hub) :: d_step { ch < chs && no < chs && chState[ch] == LIVE && knowsChallenge[ch] && has(who, no, name, hub) && fits(ch, no, name, hub) -> c = ch; n = no; p = who; shown = name } -> goto submit
#define ANY(ch, no) RESPOND(ch, no, A, 0, 0) RESPOND(ch, no, A, 1, 0) RESPOND(ch, no, V, 0, 0) RESPOND(ch, no, V, 1, 0) RESPOND(ch, no, V, 0, 1) RESPOND(ch, no, V, 1, 1) RESPOND(ch, no, W, 0, 0) RESPOND(ch, no, W, 1, 0)
#define SUBMIT(ch) eachPair(ANY, ch) :: d_step { ch < chs && chState[ch] == LIVE && knowsChallenge[ch] -> chState[ch] = SPENT }
	eachChallenge(SUBMIT)
#define TRY(x) :: d_step { x < cds && knowsCode[x] && cdState[x] == LIVE -> k = x } -> goto back
	eachCode(TRY) /* any return address he has, in his own browser */
#ifdef LEAK_CHALLENGE
#define LEARN(ch) :: d_step { ch < chs && !knowsChallenge[ch] -> knowsChallenge[ch] = 1 }
	eachChallenge(LEARN)
#endif
#ifdef PLANT_COOKIE
	:: d_step { cookie[V] != cookie[A] -> cookie[V] = cookie[A] }
#endif
#ifdef PLANT_SESSION
	:: d_step { held[V] != held[A] -> held[V] = held[A] }
#endif
	od;
submit:	answer(c, p, n, shown, 1, k);
	d_step { if :: k != NOBODY -> knowsCode[k] = 1 :: else -> skip fi; c = 0; n = 0; p = 0; shown = 0; k = 0 }
	goto end;
back:	arrive(A, k, ok);
	goto end
}

init {
	atomic {
		cookie[V] = V; cookie[W] = W; cookie[A] = A;
		run Tab(V);
#ifdef TWO_TABS
		run Tab(V);
#endif
#ifdef TWO_CITIZENS
		run Tab(W);
#endif
#ifdef TWO_ATTACKERS
		run Attacker();
#endif
		run Attacker()
	}
}
