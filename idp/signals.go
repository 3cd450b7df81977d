package idp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Agreed returns a function that names the services a person has agreed to hand something to, from the database in ctx's transaction.
func Agreed(db *sqldb.DB) func(context.Context, federation.AccountID) ([]clients.ID, error) {
	return func(ctx context.Context, account federation.AccountID) ([]clients.ID, error) {
		all, err := (accounts{db: db}).consents(ctx, account)
		if err != nil {
			return nil, err
		}
		out := make([]clients.ID, len(all))
		for i, c := range all {
			out[i] = c.Client
		}
		return out, nil
	}
}

// tellSignals makes what is audited of a person's means to sign in an event for the streams of her services, in the same transaction.
// What ends sessions reaches streams with the sign-outs (federation.Deliveries), the change of a session's level with the login.
func (p *Provider) tellSignals() {
	p.audit.Observe(p.signalOf, eventPasskeyAdded, eventPasskeyRemoved, eventPasskeyCloned, eventCardTied, eventCardEnded, federation.EventEnded)
}

// signalOf is an audit.Observer. Each kind is one line of the table in docs/integrating.md.
func (p *Provider) signalOf(ctx context.Context, e audit.Event) error {
	account := federation.AccountID(e.Account)
	var events []federation.Event
	var err error
	switch e.Kind {
	case eventPasskeyAdded:
		events, err = p.passkeyEvents(ctx, e, federation.CredentialCreated, federation.InitiatedByUser)
	case eventPasskeyRemoved:
		change, by := federation.CredentialDeleted, federation.InitiatedByUser
		if e.Actor == string(federation.ByHub) { // with the card that it was added with
			change, by = federation.CredentialRevoked, federation.InitiatedByPolicy
		}
		events, err = p.passkeyEvents(ctx, e, change, by)
	case eventPasskeyCloned:
		events, err = p.passkeyEvents(ctx, e, federation.CredentialRevoked, federation.InitiatedByPolicy)
	case federation.EventEnded:
		if e.Actor == string(federation.ByService) {
			return nil // it knows
		}
		return p.signals.Emit(ctx, federation.Signal{
			Account: account, Client: clients.ID(e.Client), Event: federation.LinkEndedAtHub(federation.Actor(e.Actor), federation.Why(e.Reason)), Cause: web.Trace(ctx),
		})
	case eventCardTied:
		events, err = p.cardTiedEvents(ctx, account)
	case eventCardEnded:
		events, err = p.cardEndedEvents(ctx, account, e.Facts["revoked"])
	}
	if err != nil {
		return fmt.Errorf("signal of %s: %w", e.Kind, err)
	}
	signals := make([]federation.Signal, len(events))
	for i, event := range events {
		signals[i] = federation.Signal{Account: account, Event: event, Cause: web.Trace(ctx)}
	}
	return p.signals.Emit(ctx, signals...)
}

func (p *Provider) passkeyEvents(ctx context.Context, e audit.Event, change federation.CredentialChange, by federation.Initiator) ([]federation.Event, error) {
	kind, err := p.passkeys.kindOf(ctx, e.Facts["passkey"])
	if err != nil {
		return nil, err
	}
	out := []federation.Event{federation.CredentialChanged(kind, change, by)}
	if e.Kind == eventPasskeyCloned {
		out = append(out, federation.CredentialCompromised(kind))
	}
	return out, nil
}

// kindOf: what is backed up belongs to a platform; what cannot leave its device is most often a device of its own.
func (k passkeys) kindOf(ctx context.Context, id string) (federation.CredentialKind, error) {
	var eligible int64
	err := k.db.QueryRow(ctx, `SELECT backup_eligible FROM passkey WHERE id = $1`, id).Scan(&eligible)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read kind of passkey: %w", err)
	}
	if err == nil && eligible == 0 {
		return federation.CredentialRoaming, nil
	}
	return federation.CredentialPasskey, nil
}

// means counts what opens the folder now.
func (p *Provider) means(ctx context.Context, account federation.AccountID) (cards, passkeys int, err error) {
	live, err := p.accounts.liveCards(ctx, account, p.now())
	if err != nil {
		return 0, 0, err
	}
	err = p.db.QueryRow(ctx, `SELECT COUNT(*) FROM passkey WHERE account = $1 AND ended_at IS NULL AND suspect_at IS NULL`, string(account)).Scan(&passkeys)
	return len(live), passkeys, err
}

// cardEndedEvents: the card is over; and with the last one, the person can reach a passkey's level at most, or nothing at all.
func (p *Provider) cardEndedEvents(ctx context.Context, account federation.AccountID, revoked string) ([]federation.Event, error) {
	change, by := federation.CredentialRevoked, federation.InitiatedBySystem
	switch {
	case keepsOffline(revoked):
		change = federation.CredentialDeleted
	case revoked == endUndone:
		by = federation.InitiatedByUser
	}
	out := []federation.Event{federation.CredentialChanged(federation.CredentialCard, change, by)}
	cards, keys, err := p.means(ctx, account)
	switch {
	case err != nil || cards > 0:
	case keys > 0:
		out = append(out, federation.AssuranceLevelChanged(p.issuer, ACRCard, ACRPasskey, false))
	case !keepsOffline(revoked): // a newer card is on its way, or there already, where one was renewed
		out = append(out, federation.AccountDisabled(""))
	}
	return out, err
}

// cardTiedEvents: the person has a card again, or another one.
func (p *Provider) cardTiedEvents(ctx context.Context, account federation.AccountID) ([]federation.Event, error) {
	out := []federation.Event{federation.CredentialChanged(federation.CredentialCard, federation.CredentialCreated, federation.InitiatedByUser)}
	cards, keys, err := p.means(ctx, account)
	if err != nil || cards != 1 { // none: the new one has to wait
		return out, err
	}
	if keys > 0 {
		return append(out, federation.AssuranceLevelChanged(p.issuer, ACRPasskey, ACRCard, true)), nil
	}
	var last string
	err = p.db.QueryRow(ctx, `SELECT COALESCE(revoked, '') FROM card_binding WHERE account = $1 AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1`,
		string(account)).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return out, nil
	}
	if err == nil && !keepsOffline(last) {
		out = append(out, federation.AccountEnabled())
	}
	return out, err
}

// tellLevel tells the services of a session that a new login in it has another level. One that sinks is told of before it does, one
// that rises after: killed in between, nobody believes too much.
func (p *Provider) tellLevel(ctx context.Context, old, s *session) error {
	signals := make([]federation.Signal, 0, len(old.Clients))
	for _, cl := range old.Clients {
		signals = append(signals, federation.Signal{
			Account: s.Account, Client: cl.ID, SID: p.clientSID(old.ID, string(cl.ID)), Nameless: cl.Acted, Cause: web.Trace(ctx),
			Event: federation.AssuranceLevelChanged(p.issuer, old.ACR, s.ACR, acrRank[s.ACR] > acrRank[old.ACR]),
		})
	}
	if err := p.signals.Emit(context.WithoutCancel(ctx), signals...); err != nil {
		return fmt.Errorf("tell of level: %w", err)
	}
	return nil
}
