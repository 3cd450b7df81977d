package agent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The events of the card app's journal. None holds a PIN, a certificate or a card's name.
const (
	kindSigned           audit.Kind = "agent.signed"            // a card signed; the response is about to leave
	kindRefused          audit.Kind = "agent.refused"           // the hub said no, or the login could not go on
	kindCancelled        audit.Kind = "agent.cancelled"         // the citizen stopped
	kindRemoved          audit.Kind = "agent.card_removed"      // the card was taken out, and the hub ended the login
	kindPINWrong         audit.Kind = "agent.pin_wrong"         // the card compared and refused
	kindPINLocked        audit.Kind = "agent.pin_locked"        // the card compares no more
	kindPINChanged       audit.Kind = "agent.pin_changed"       // the card has a new PIN
	kindPasswordChanged  audit.Kind = "agent.password_changed"  // the card has a new signing password
	kindCardFailed       audit.Kind = "agent.card_failed"       // the card or the reader did not do its part
	kindIssuerUntrusted  audit.Kind = "agent.issuer_untrusted"  // a challenge of a stranger
	kindChallengeForged  audit.Kind = "agent.challenge_forged"  // not signed by the hub, or not what it should be
	kindChallengeAddress audit.Kind = "agent.challenge_address" // a hub's address that is no challenge
	kindReturnRefused    audit.Kind = "agent.return_refused"    // the hub's answer leads elsewhere
	kindForeignHost      audit.Kind = "agent.foreign_host"      // asked for under another name
	kindRemoteRefused    audit.Kind = "agent.remote_refused"    // a login on another device, asked of a computer's card app
	kindEmbedded         audit.Kind = "agent.embedded"          // asked for from within another page
)

// journal writes events, and keeps other sites from filling the disk: an event that any page in the browser can cause
// is written once a second for each kind.
type journal struct {
	append func(context.Context, audit.Event) error
	now    func() time.Time

	mu   sync.Mutex
	last map[audit.Kind]time.Time
}

// strangersPause is the least time between two events of one kind that strangers can cause.
const strangersPause = time.Second

// write records an event, even if the browser has hung up.
func (j *journal) write(ctx context.Context, e audit.Event) error {
	e.Trace = web.Trace(ctx)
	return j.append(context.WithoutCancel(ctx), e)
}

// writeStranger records an event that any page can cause.
func (j *journal) writeStranger(ctx context.Context, e audit.Event) error {
	j.mu.Lock()
	last, now := j.last[e.Kind], j.now()
	due := last.IsZero() || now.Sub(last) >= strangersPause
	if due {
		j.last[e.Kind] = now
	}
	j.mu.Unlock()
	if !due {
		return nil
	}
	return j.write(ctx, e)
}

// failure records why a login did not go on. req is nil when it never began.
func (j *journal) failure(ctx context.Context, req *request, err error) error {
	e := audit.Event{Kind: kindRefused, Reason: Word(err)}
	if req != nil {
		e.Client = req.challenge.clientID
		e.Facts = map[string]string{"hub": req.from.hub.origin}
	}
	if own, ok := errors.AsType[*Error](err); ok {
		switch own.Reason {
		case IssuerUntrusted:
			e.Kind = kindIssuerUntrusted
			return j.writeStranger(ctx, e)
		case AddressMalformed:
			e.Kind = kindChallengeAddress
			return j.writeStranger(ctx, e)
		case ChallengeForged:
			e.Kind = kindChallengeForged
			return j.writeStranger(ctx, e)
		case RemoteRefused:
			e.Kind = kindRemoteRefused
			return j.writeStranger(ctx, e)
		case ReturnRefused:
			e.Kind = kindReturnRefused
		case ReaderMissing, ServiceMissing, ReaderBusy, CardMissing:
			e.Kind = kindCardFailed
		case RequestMalformed, ChallengeExpired, ClockWrong, HubUnreachable, HubRefused, PageSpent, ForeignHost, Embedded,
			Cancelled, NotFound, EntryMissing, Internal:
		}
	}
	if card, ok := errors.AsType[*jpki.Error](err); ok {
		switch card.Reason {
		case jpki.WrongPIN, jpki.WrongPassword:
			e.Kind = kindPINWrong
		case jpki.PINBlocked, jpki.PasswordBlocked:
			e.Kind = kindPINLocked
		case jpki.PINMalformed, jpki.LastTry, jpki.PasswordMalformed, jpki.LastPasswordTry:
			return nil // nothing reached the card
		case jpki.PINRequired, jpki.NotJPKI, jpki.NoCertificate, jpki.CardRemoved, jpki.CardFault, jpki.ChangeUnknown, jpki.NoSigningCertificate:
			e.Kind = kindCardFailed
		}
	}
	if req == nil {
		return j.writeStranger(ctx, e)
	}
	return j.write(ctx, e)
}

// printable cuts what a stranger sent down to something that can stand in a journal.
func printable(s string) string {
	const most = 80
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return clean[:min(len(clean), most)]
}
