package exchange

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// Record is one exchange, whole: for auditors. What the citizen may read of it says View.
type Record struct {
	ID                                  string
	Account                             federation.AccountID
	Requested, Deadline, Answered       time.Time // Answered is zero until then
	Requester, Provider                 Party
	Basis                               BasisName
	Version                             int64 // of the set it was judged by; 0: by none
	Purpose                             govcode.Procedure
	Item                                govcode.Item
	PurposeName, ItemName               Text   // empty where the basis does not have the code
	Law                                 string // empty without a basis
	Outcome                             Outcome
	Why                                 string // of Refused
	HiddenByRequester, HiddenByProvider Ground
	Protected                           Ground // the person was, at the time
}

// View is what the citizen reads of an exchange. Open says whether it has any content: if not, there are only ID, Requested and
// Outcome, with the ground if there is one.
type View struct {
	Record
	Open   bool
	Ground Ground
}

// viewOf hides what the citizen must not read, or not yet: until the provider has answered it may know a ground.
func (rec Record) viewOf(now time.Time) View {
	if rec.Outcome == Asked && now.After(rec.Deadline) {
		rec.Outcome = Unanswered
	}
	ground := max(rec.HiddenByRequester, rec.HiddenByProvider, rec.Protected)
	if ground == Disclosed && rec.Outcome != Asked {
		return View{Record: rec, Open: true}
	}
	v := View{Record: Record{ID: rec.ID, Account: rec.Account, Requested: rec.Requested}, Ground: ground}
	if ground == Disclosed {
		v.Outcome = Asked
	}
	return v
}

// Filter chooses among a person's exchanges. Zero fields choose nothing out.
type Filter struct {
	From, Until time.Time    // when it was asked for: from, and before
	Body        govcode.Body // on either side
	Item        govcode.Item
	After       Cursor
	Limit       int // 1 to MaxPage; 0: twenty
}

// Bounds of one page.
const (
	MaxPage     = 100
	defaultPage = 20
)

// Page is a stretch of a person's exchanges, newest first. Next is zero on the last one.
type Page struct {
	Views []View
	Next  Cursor
}

// List returns the page of a person's exchanges that the filter chooses. Exchanges whose content is withheld do not answer to Body
// and Item: an answer would tell it.
func (r *Register) List(ctx context.Context, account federation.AccountID, f Filter) (Page, error) {
	if f.Limit <= 0 || f.Limit > MaxPage {
		f.Limit = defaultPage
	}
	now := r.now()
	records, err := listRecords(ctx, r.db, account, f, f.Limit+1, now)
	if err != nil {
		return Page{}, err
	}
	var p Page
	for i, rec := range records {
		if i == f.Limit {
			last := records[i-1]
			p.Next = Cursor{last.Requested.UnixMilli(), last.ID}
			break
		}
		p.Views = append(p.Views, rec.viewOf(now))
	}
	return p, nil
}

// One returns one exchange as its citizen reads it, or UnknownExchange.
func (r *Register) One(ctx context.Context, account federation.AccountID, id string) (View, error) {
	rec, err := findRecord(ctx, r.db, id)
	if err != nil {
		return View{}, err
	}
	if account == "" || rec.Account != account {
		return View{}, &Error{Reason: UnknownExchange, Detail: "no such exchange"}
	}
	return rec.viewOf(r.now()), nil
}

// Record returns one exchange whole, for auditors.
func (r *Register) Record(ctx context.Context, id string) (Record, error) {
	return findRecord(ctx, r.db, id)
}
