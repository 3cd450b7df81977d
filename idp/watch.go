package idp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
)

// Recheck says how the cards that sessions rest on are asked about again.
type Recheck struct {
	// Every is how long a session may rest on an answer; zero means five minutes. A revoked card's sessions end within it.
	Every time.Duration
	// Patience is how long a session is vouched for although nobody answers; zero means four hours. After it services are handed nothing
	// until somebody does, or the citizen signs in again, which needs an answer too. The session itself stays.
	Patience time.Duration
	// PerSecond bounds the questions of this process; zero means 500. What is behind is asked about when it is used.
	PerSecond int
}

// DefaultRecheck is the interval of a Recheck that names none.
const DefaultRecheck = 5 * time.Minute

func (r *Recheck) fill() {
	if r.Every <= 0 {
		r.Every = DefaultRecheck
	}
	if r.Patience <= 0 {
		r.Patience = 4 * time.Hour
	}
	if r.PerSecond <= 0 {
		r.PerSecond = 500
	}
}

const (
	watchBatch   = 100              // cards claimed at once
	watchAtOnce  = 8                // questions on their way
	watchLease   = 30 * time.Second // how long cards stay claimed after a crash; longer than both of the next
	watchRoom    = 10 * time.Second // in which a round asks; the cards left are handed back
	watchPatient = 15 * time.Second // for the answer about one card
	watchMaxIdle = time.Second      // between two looks for what is due
	watchMaxWait = 5 * time.Minute  // between two questions that nobody answers
)

// next is when to ask again: early enough for the slowest look to be in time, and spread, so that who signed in together is not asked about
// together for ever.
func (r Recheck) next(now time.Time) time.Time {
	return now.Add(r.Every*7/10 + spread(r.Every/10))
}

// later is when to ask again if nobody knew.
func (r Recheck) later(now time.Time, silent int) time.Time {
	wait := min(r.Every<<min(silent, 10), max(r.Every, watchMaxWait))
	return now.Add(wait*7/10 + spread(wait/10))
}

// spread is a random time up to d.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	var b [8]byte
	_, _ = rand.Read(b[:])                                          // cannot fail since Go 1.24
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d)) //nolint:gosec // below d
}

// WatchCards asks about the cards that sessions rest on, until ctx ends, and ends the sessions of those that were revoked. Any number of
// processes may do so at once and share the work. It returns only with ctx.
func (p *Provider) WatchCards(ctx context.Context) error {
	idle := max(min(p.recheck.Every/20, watchMaxIdle), 10*time.Millisecond)
	for {
		n, err := p.watchRound(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "cards of sessions are not being asked about", "err", err) // until the database is back
		}
		wait := time.Duration(n) * time.Second / time.Duration(p.recheck.PerSecond)
		if n < watchBatch {
			wait = max(wait, idle-spread(idle/4))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// watchRound asks about the cards that wait longest, a bounded number, and returns how many it had. A crash in the middle leaves them to
// whoever comes first after the lease.
func (p *Provider) watchRound(ctx context.Context) (n int, err error) {
	due, err := p.accounts.anyDue(ctx)
	if err != nil || !due {
		return 0, err
	}
	claim := newID()
	cards, err := p.accounts.claimDue(ctx, claim, p.now().Add(watchLease), watchBatch)
	if err != nil || len(cards) == 0 {
		return 0, err
	}
	asked := p.now()
	room, cancel := context.WithTimeout(ctx, watchRoom)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(watchAtOnce)
	for _, w := range cards {
		g.Go(func() error {
			if room.Err() != nil {
				return p.accounts.handBack(ctx, claim, w.Card)
			}
			return p.watchOne(ctx, claim, w)
		})
	}
	if err := g.Wait(); err != nil {
		return len(cards), err
	}
	return len(cards), p.accounts.stoodBy(ctx, claim, asked, p.recheck.next(asked))
}

// watchOne asks about one card, and takes it out of the claim unless the authority stands by it.
func (p *Provider) watchOne(ctx context.Context, claim string, w watched) error {
	asking, cancel := context.WithTimeout(ctx, watchPatient)
	defer cancel()
	fate, err := p.askAbout(asking, w.Account, w.Card)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil: // as good as no answer
		return p.accounts.nobodyKnew(ctx, claim, w.Card, p.recheck.later(p.now(), w.Silent))
	case err == nil && fate.revoked != "":
		_, err = p.endSessions(ctx, w.Account, whatEnds{Card: w.Card, Revoked: fate.revoked, Claim: claim}, federation.LogoutCardRevoked)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil: // the others of the round are not to wait for it
		p.log.ErrorContext(ctx, "card of a session cannot be looked after", "err", err)
		return p.accounts.handBack(ctx, claim, w.Card)
	case !fate.known:
		return p.accounts.nobodyKnew(ctx, claim, w.Card, p.recheck.later(p.now(), w.Silent))
	}
	return nil
}

// fate is what an authority says of a card.
type fate struct {
	known   bool   // it answered
	revoked string // why the card counts no more, or empty
}

// The words for cards that count no more beside those of RFC 5280.
const (
	revokedExpired   = "expired"   // its time is over
	revokedUntrusted = "untrusted" // its authority was taken out of the configuration
)

// askAbout asks the authority about a card. An error is the hub's own trouble.
func (p *Provider) askAbout(ctx context.Context, account federation.AccountID, card cardRef) (fate, error) {
	sealed, err := p.accounts.handleOf(ctx, card)
	if err != nil || sealed == nil {
		return fate{}, err
	}
	h, err := p.openHandle(sealed, inBinding(account, card))
	if err != nil { // the seal key was changed, or the row
		p.log.ErrorContext(ctx, "card cannot be asked about", "err", err)
		return fate{}, nil
	}
	_, err = p.cards.Recheck(ctx, h)
	if err == nil {
		return fate{known: true}, nil
	}
	refused, ok := errors.AsType[*cardauth.Error](err)
	if !ok {
		return fate{}, err
	}
	switch refused.Reason {
	case cardauth.CertificateRevoked:
		return fate{known: true, revoked: refused.RevokedFor.String()}, nil
	case cardauth.CertificateExpired:
		return fate{known: true, revoked: revokedExpired}, nil
	case cardauth.CertificateUntrusted:
		return fate{known: true, revoked: revokedUntrusted}, nil
	case cardauth.RevocationUnavailable:
		return fate{}, ctx.Err() // hurried away is not unanswered
	case cardauth.Malformed, cardauth.ChallengeUnknown, cardauth.ChallengeExpired, cardauth.ChallengeSpent, cardauth.CertificateMalformed,
		cardauth.CertificateIsCA, cardauth.CertificateForSigning, cardauth.CertificateProfile, cardauth.CertificateNotYetValid,
		cardauth.SignatureInvalid, cardauth.ChallengeMismatch, cardauth.ClaimMismatch, cardauth.CertificateForLogin, cardauth.DocumentMismatch: // of logins and signatures
	}
	return fate{}, err
}

// vouches is what can be said of a session's or grant's card at the moment it is used.
type vouches int

const (
	cardStands vouches = iota
	cardUnsure         // nobody has answered for too long
	cardOver           // and what hangs on it
)

// vouch asks about a card whose last answer is older than the interval: those who watch are behind, or do not watch it any more. The zero card
// stands for any of the person's.
func (p *Provider) vouch(ctx context.Context, account federation.AccountID, card cardRef, checked int64) (vouches, error) {
	if card.zero() {
		return p.vouchForAny(ctx, account)
	}
	if p.now().Sub(time.UnixMilli(checked)) <= p.recheck.Every {
		return cardStands, nil
	}
	fate, err := p.askAbout(ctx, account, card)
	switch {
	case err != nil:
		return cardUnsure, err
	case fate.revoked != "":
		_, err := p.endSessions(ctx, account, whatEnds{Card: card, Revoked: fate.revoked}, federation.LogoutCardRevoked)
		return cardOver, err
	case fate.known:
		return cardStands, p.accounts.vouched(ctx, card)
	case p.now().Sub(time.UnixMilli(checked)) > p.recheck.Patience:
		return cardUnsure, nil
	}
	return cardStands, nil
}

// vouchForAny says what can be said of the best of a person's cards; cardOver: there is none.
func (p *Provider) vouchForAny(ctx context.Context, account federation.AccountID) (vouches, error) {
	cards, err := p.accounts.liveCards(ctx, account, p.now())
	if err != nil {
		return cardUnsure, err
	}
	best := cardOver
	for _, w := range cards {
		v, err := p.vouch(ctx, account, w.Card, w.Checked)
		if err != nil || v == cardStands {
			return v, err
		}
		best = min(best, v)
	}
	return best, nil
}

// liveNow is live for a refresh: new tokens are made only of a card that is known to count.
func (p *Provider) liveNow(u *unit) func(context.Context, *grant) (bool, error) {
	return func(ctx context.Context, g *grant) (bool, error) {
		ok, err := p.live(ctx, g)
		if err != nil || !ok || g.Account == "" {
			return ok, err
		}
		if short, err := p.lacksCard(ctx, g); err != nil || short {
			return false, err
		}
		foot, err := p.accounts.footing(ctx, g.holder(), g.Card)
		if err != nil {
			return false, fmt.Errorf("card of grant: %w", err)
		}
		if keepsOffline(foot.Revoked) { // and live has said that it lives on
			return true, nil
		}
		v, err := p.vouch(ctx, g.holder(), g.Card, foot.Checked)
		switch {
		case err != nil:
			return false, fmt.Errorf("card of grant: %w", err)
		case v == cardOver:
			return p.live(ctx, g)
		}
		u.unsure = v == cardUnsure
		return !u.unsure, nil
	}
}

// lacksCard says whether a grant was made without the card although its service, the citizen or who acts for her wants it read: the rule may
// be younger than the grant.
func (p *Provider) lacksCard(ctx context.Context, g *grant) (bool, error) {
	if acrRank[g.ACR] >= acrRank[ACRCard] {
		return false, nil
	}
	client, err := p.client(ctx, g.Client)
	if err != nil || client.AlwaysCard() {
		return true, err
	}
	chosen, err := p.accounts.choicesFor(ctx, g.Account, g.Client)
	if err != nil || chosen.AlwaysCard || g.holder() == g.Account {
		return chosen.AlwaysCard, err
	}
	chosen, err = p.accounts.choicesFor(ctx, g.holder(), g.Client)
	return chosen.AlwaysCard, err
}

// watchLogin begins to watch what a login rests on. It comes before the session: a crash in between watches a card for nothing.
func (p *Provider) watchLogin(ctx context.Context, tx *transaction, s *session) error {
	now := p.now()
	until := now.Add(p.sessions.rules.Absolute)
	if s.proof == nil {
		return p.accounts.watchOwn(ctx, s.Account, until, p.recheck.next(now).UnixMilli())
	}
	h, err := p.openHandle(s.proof.Handle, inTransaction(tx.ID))
	if err != nil {
		return err
	}
	sealed, err := p.sealHandle(h, inBinding(s.Account, s.Card))
	if err != nil {
		return err
	}
	at := time.Unix(s.proof.At, 0)
	return p.accounts.watchCard(ctx, watched{Account: s.Account, Card: s.Card, Checked: at.UnixMilli(), Handle: sealed}, until, p.recheck.next(at).UnixMilli())
}
