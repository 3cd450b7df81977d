package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// The audit events of support. Actor is the operator; facts: role, way and, where somebody was found, look, which the person's own list has.
const (
	eventLooked       audit.Kind = "citizen.looked_at"
	eventNotFound     audit.Kind = "citizen.not_found"
	eventSupportEnded audit.Kind = "citizen.sessions_ended"
)

const (
	caseLife    = 15 * time.Minute
	troubleLife = 30 * 24 * time.Hour // of reference numbers: there are four billion, and they come again
	lookLife    = 400 * 24 * time.Hour
	maxLogins   = 50
	maxTrouble  = 100 // rows of one number
)

// supportRate bounds what one operator can look for: a person calls, others are not gone through.
var supportRate = ratelimit.Rule{Name: "support", Limit: 60, Window: time.Hour}

// Search is how an operator looks for a person: by the number on a page that she saw, or by a service's name for her.
type Search struct {
	Operator string // id
	Role     string // that allows it
	Why      string // the person reads it

	Trouble string // "7F3A-21C9"; empty: by Client and Subject
	Client  clients.ID
	Subject string
}

func (s Search) way() lookWay {
	if s.Trouble != "" {
		return lookByNumber
	}
	return lookBySubject
}

// The refusals of support.
var (
	// ErrNobody: no person has this number or name.
	ErrNobody = errors.New("nobody is known by this")
	// ErrSeveral: the number is of several people's requests.
	ErrSeveral = errors.New("the number is of requests of several people")
	// ErrNoCase: there is no such case, or it is over, or another operator's.
	ErrNoCase = errors.New("no such case")
)

// TooOftenError: an operator looked for so many people that it is not help any more.
type TooOftenError struct{ After time.Duration }

// Error implements error.
func (e *TooOftenError) Error() string { return "too many people were looked for" }

// Person is what an operator sees of one: nothing that says who she is.
type Person struct {
	Case       string // names her for a quarter of an hour, to this operator; empty: the number is known, and nobody was signed in
	Since      time.Time
	Logins     []audit.Row // that worked and that did not, newest first
	Sessions   []PersonSession
	Links      []federation.Link
	Deliveries []federation.Delivery
	Troubles   []audit.Row // of the number
}

// PersonSession is one browser that she is signed in with.
type PersonSession struct {
	ID       string
	Since    time.Time
	LastUse  time.Time
	ACR      string
	Services []clients.ID
}

// FindPerson finds a person. That it was looked, by whom, how and why is in the audit log and in her own list before anything is answered; that
// nobody was found is in the audit log too. The error is ErrNobody, ErrSeveral, *TooOftenError, or the store's.
func (p *Provider) FindPerson(ctx context.Context, s Search) (*Person, error) {
	ok, after, err := p.limiter.Allow(ctx, supportRate, s.Operator)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &TooOftenError{After: after}
	}
	var found Person
	var account federation.AccountID
	if s.Trouble != "" {
		account, found.Troubles, err = p.troubled(ctx, s.Trouble)
	} else {
		account, err = p.named(ctx, s.Client, s.Subject)
	}
	if errors.Is(err, ErrNobody) || errors.Is(err, ErrSeveral) || err == nil && account == "" {
		// The service is left out: what was typed for one may be anything, a name too.
		if err := p.record(ctx, audit.Event{Kind: eventNotFound, Actor: s.Operator, Facts: map[string]string{"role": s.Role, "way": string(s.way())}}); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	if account == "" {
		return &found, nil
	}
	if _, err := p.looked(ctx, supportLook{Account: account, Operator: s.Operator, Role: s.Role, Way: s.way(), Why: s.Why}, string(s.Client)); err != nil {
		return nil, err
	}
	if err := p.fill(ctx, account, &found); err != nil {
		return nil, err
	}
	found.Case, err = p.openCase(ctx, supportCase{Account: account, Operator: s.Operator})
	return &found, err
}

// named returns the person whom a service knows by a name. What is registered counts, whether it may ask for anything now or not.
func (p *Provider) named(ctx context.Context, id clients.ID, sub string) (federation.AccountID, error) {
	c, err := p.clients.Get(ctx, id)
	if errors.Is(err, clients.ErrUnknown) {
		return "", ErrNobody
	}
	if err != nil && (c == nil || !errors.Is(err, clients.ErrSuspended)) {
		return "", fmt.Errorf("read client: %w", err)
	}
	account, err := p.subjects.Account(ctx, c.Sector(), sub)
	if refused, ok := errors.AsType[*federation.Error](err); ok && refused.Reason == federation.SubjectUnknown {
		return "", ErrNobody
	}
	return account, err
}

// troubled returns what the log has of a reference number, and whose request it was: the person who was signed in when she saw the page, or
// the only one that its rows are about.
func (p *Provider) troubled(ctx context.Context, number string) (federation.AccountID, []audit.Row, error) {
	page, err := p.audit.Search(ctx, audit.Filter{Trace: number, From: p.now().Add(-troubleLife)}, "", maxTrouble)
	if err != nil {
		return "", nil, err
	}
	if len(page.Rows) == 0 {
		return "", nil, ErrNobody
	}
	seen, about := map[string]bool{}, map[string]bool{}
	for _, r := range page.Rows {
		if r.Account == "" {
			continue
		}
		about[r.Account] = true
		if r.Kind == eventTrouble {
			seen[r.Account] = true
		}
	}
	if len(seen) > 0 {
		about = seen
	}
	if len(about) > 1 {
		return "", nil, ErrSeveral
	}
	for account := range about {
		return federation.AccountID(account), page.Rows, nil
	}
	return "", page.Rows, nil
}

// fill reads what support sees of a person.
func (p *Provider) fill(ctx context.Context, account federation.AccountID, found *Person) error {
	stand, err := p.accounts.footing(ctx, account, cardRef{})
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	found.Since = stand.OpenedAt
	if found.Logins, err = p.audit.Latest(ctx, string(account), []audit.Kind{eventLogin, eventCardRefused, eventPasskeyRefused}, maxLogins); err != nil {
		return err
	}
	all, err := p.sessions.of(ctx, account)
	if err != nil {
		return err
	}
	for _, s := range all {
		own, err := p.accounts.footing(ctx, account, s.Card)
		if err != nil {
			return fmt.Errorf("read account: %w", err)
		}
		if own.over(s.Created) {
			continue
		}
		found.Sessions = append(found.Sessions, PersonSession{
			ID: s.ID, Since: time.UnixMilli(s.Created), LastUse: time.Unix(s.Last, 0), ACR: s.ACR, Services: s.services(),
		})
	}
	if found.Links, err = p.links.List(ctx, account); err != nil {
		return err
	}
	found.Deliveries, err = p.deliveries.List(ctx, account)
	return err
}

// supportCase is a person whom an operator helps.
type supportCase struct {
	Account  federation.AccountID `json:"a"`
	Operator string               `json:"o"`
}

func caseKey(id string) string { return "case:1:" + id }

func (p *Provider) openCase(ctx context.Context, s supportCase) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encode case: %w", err)
	}
	id := newID()
	if err := p.store.Create(ctx, caseKey(id), b, caseLife); err != nil {
		return "", fmt.Errorf("store case: %w", err)
	}
	return id, nil
}

// EndPersonsSessions ends every session and grant of the person of an operator's case, as she could herself, and tells the services. It is
// in the audit log and in her list. The error is ErrNoCase, or the store's.
func (p *Provider) EndPersonsSessions(ctx context.Context, id, operator, role, why string) error {
	if !wellFormedID(id) {
		return ErrNoCase
	}
	rec, err := p.store.Get(ctx, caseKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return ErrNoCase
	}
	if err != nil {
		return fmt.Errorf("read case: %w", err)
	}
	var s supportCase
	if err := json.Unmarshal(rec.Value, &s); err != nil {
		return fmt.Errorf("decode case: %w", err)
	}
	if s.Operator != operator {
		return ErrNoCase
	}
	// Her list says so before it happens: if we are killed in between, it says too much and not too little.
	one, err := p.looked(ctx, supportLook{Account: s.Account, Operator: operator, Role: role, Way: lookToEnd, Why: why}, "")
	if err != nil {
		return err
	}
	_, err = p.endSessions(ctx, s.Account, whatEnds{Because: audit.Event{
		Kind: eventSupportEnded, Account: string(s.Account), Actor: operator, Facts: map[string]string{"role": role, "look": one.ID},
	}}, federation.LogoutEverywhere)
	return err
}

// SearchedAudit notes in a person's list that an operator read the audit log by her account: once an hour, however many pages it was.
func (p *Provider) SearchedAudit(ctx context.Context, operator, role, account string) error {
	if _, err := p.accounts.footing(ctx, federation.AccountID(account), cardRef{}); errors.Is(err, errNoAccount) {
		return nil // whatever it is, it is nobody
	} else if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	if known, err := p.lookedLately(ctx, operator, account); err != nil || known {
		return err
	}
	_, err := p.looked(ctx, supportLook{Account: federation.AccountID(account), Operator: operator, Role: role, Way: lookInAudit}, "")
	return err
}
