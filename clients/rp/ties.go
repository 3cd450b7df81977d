package rp

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// ScopeLinksOwn is the scope by which a service reads and changes all its links at the hub. It is asked for with CallOwn.
const ScopeLinksOwn = "links.own"

// codeCursor is the hub's word for a place in a history that is not its own.
const codeCursor = "cursor_unknown"

// Tie is what a service keeps about a person it tied to an account of its own.
type Tie struct {
	Sub      string
	Name     string    // NewTieName, when the tie was made; another for another tie of the same two
	Made     time.Time // whole seconds
	Reported bool      // the hub has heard of it
}

// NewTieName returns a random name for a new tie. Records of the two sides speak of one act only if they name the same tie: after one side was
// restored from a backup nothing else tells an old tie from a new one.
func NewTieName() string { return rand.Text() }

// HubLink is what the hub says about the tie between a person and this service.
type HubLink struct {
	Sub   string    `json:"sub"`   // empty where the person's own token asked
	State string    `json:"state"` // none, offered, linked, broken, ended
	Since time.Time `json:"since"` // zero in state none
	Tie   string    `json:"tie"`   // the last one
}

// Verdict is what to do about a tie.
type Verdict int

// The verdicts.
const (
	NoTie  Verdict = iota // there is none here
	Keep                  // both sides agree
	Report                // the hub has to hear of it
	Forget                // it is over, or it is not the one that the hub means
)

// Judge compares the tie here, nil if there is none, with the link there. It reads no clock and no store.
//
// After a tie was reported the hub's link is linked or broken for as long as nobody ended it, and names this tie; offered then means ended
// and chosen anew, for which the person is asked again. Another name means that one of the two was restored from a backup, and that the
// tie here may be of an account that the person has left. None is a hub that lost its memory, not a person's wish. Before it was reported,
// an end that is not later than the tie is of one before it.
func Judge(t *Tie, l HubLink) Verdict {
	switch {
	case t == nil:
		return NoTie
	case l.State == "none":
		return Report
	case l.State == "linked" && l.Tie == t.Name:
		return Keep
	case l.State == "broken" && l.Tie == t.Name:
		return Report
	case t.Reported || l.Tie == t.Name:
		return Forget
	case l.State == "ended" && l.Since.After(t.Made):
		return Forget
	}
	return Report
}

// Ties is a service's register of ties. Every method may be called again for what it has done already.
type Ties interface {
	// Tie returns the person's tie, nil if there is none.
	Tie(ctx context.Context, sub string) (*Tie, error)
	// Page returns up to limit ties of persons after sub, in the order of Sub.
	Page(ctx context.Context, after string, limit int) ([]Tie, error)
	// Reported notes that the hub has heard of a tie.
	Reported(ctx context.Context, t Tie) error
	// Over drops a tie, and no later one. The person is asked again when they come.
	Over(ctx context.Context, t Tie) error
	// Ended reports whether a tie of that name was ended here.
	Ended(ctx context.Context, sub, name string) (bool, error)
	// Cursor is how far the hub's changes were read: what SetCursor was given last, in the database of the ties, so that both are restored together.
	Cursor(ctx context.Context) (string, error)
	SetCursor(ctx context.Context, cursor string) error
}

func linkOf(sub string) string { return "/api/links/" + url.PathEscape(sub) }

// Follow reads what has changed at the hub and brings the ties up to date with it. If the hub knows another history than was read here, one of
// the two was restored from a backup: then everything is read, and a census taken.
func (p *Party) Follow(ctx context.Context, ties Ties) error {
	at, err := ties.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("read cursor: %w", err)
	}
	err = p.follow(ctx, ties, at)
	if e, ok := asReason(err); !ok || e.Code != codeCursor {
		return err
	}
	p.log.WarnContext(ctx, "the hub's history is another than was read here: a database was restored")
	if err := p.Census(ctx, ties); err != nil {
		return err
	}
	return p.follow(ctx, ties, "")
}

func (p *Party) follow(ctx context.Context, ties Ties, at string) error {
	for {
		var page struct {
			Links  []HubLink `json:"links"`
			Cursor string    `json:"cursor"`
			More   bool      `json:"more"`
		}
		if err := p.CallOwn(ctx, ScopeLinksOwn, http.MethodGet, "/api/links?since="+url.QueryEscape(at), nil, &page); err != nil {
			return err
		}
		for _, l := range page.Links {
			if err := p.settle(ctx, ties, l); err != nil {
				return err
			}
		}
		if page.Cursor != at {
			if err := ties.SetCursor(ctx, page.Cursor); err != nil {
				return fmt.Errorf("keep cursor: %w", err)
			}
		}
		if !page.More || page.Cursor == at {
			return nil
		}
		at = page.Cursor
	}
}

// settle makes one tie and its link agree.
func (p *Party) settle(ctx context.Context, ties Ties, l HubLink) error {
	t, err := ties.Tie(ctx, l.Sub)
	if err != nil {
		return err
	}
	switch Judge(t, l) {
	case Keep:
		if !t.Reported {
			return ties.Reported(ctx, *t)
		}
	case Report:
		return p.report(ctx, ties, *t)
	case Forget:
		if err := ties.Over(ctx, *t); err != nil {
			return err
		}
		return p.disown(ctx, ties, l)
	case NoTie:
		return p.disown(ctx, ties, l)
	}
	return nil
}

// disown tells the hub that a tie it knows is not here: that it was ended here, or else that it is lost.
func (p *Party) disown(ctx context.Context, ties Ties, l HubLink) error {
	if l.State != "linked" && l.State != "broken" {
		return nil
	}
	ended, err := ties.Ended(ctx, l.Sub, l.Tie)
	if err != nil {
		return err
	}
	if ended {
		return gone(p.EndTie(ctx, Tie{Sub: l.Sub, Name: l.Tie}))
	}
	if l.State == "broken" {
		return nil
	}
	said := map[string]string{"state": "broken"}
	if l.Tie != "" {
		said["tie"] = l.Tie
	}
	return gone(p.CallOwn(ctx, ScopeLinksOwn, http.MethodPut, linkOf(l.Sub), said, nil))
}

// gone takes a refusal for an answer: the link has moved on, and the next reading tells where to.
func gone(err error) error {
	if e, ok := asReason(err); ok && e.Reason == HubRefused && (e.Code == "subject_unknown" || e.Code == "link_state") {
		return nil
	}
	return err
}

// report tells the hub of a tie without the person. One that the hub refuses is over.
func (p *Party) report(ctx context.Context, ties Ties, t Tie) error {
	said := map[string]string{"state": "linked"}
	if t.Name != "" {
		said["tie"] = t.Name
	}
	err := p.CallOwn(ctx, ScopeLinksOwn, http.MethodPut, linkOf(t.Sub), said, nil)
	if err != nil && gone(err) == nil {
		return ties.Over(ctx, t)
	}
	if err != nil {
		return err
	}
	return ties.Reported(ctx, t)
}

// EndTie tells the hub that a tie ended here. Nothing that came after it is touched; a person the hub does not know is no error.
func (p *Party) EndTie(ctx context.Context, t Tie) error {
	path := linkOf(t.Sub)
	if t.Name != "" {
		path += "?tie=" + url.QueryEscape(t.Name)
	}
	err := p.CallOwn(ctx, ScopeLinksOwn, http.MethodDelete, path, nil, nil)
	if e, ok := asReason(err); ok && e.Code == "subject_unknown" {
		return nil
	}
	return err
}

const censusPage = 500

// Census names all ties to the hub: those that it knows to be over are dropped here, and those that it has and that are not named are broken there.
func (p *Party) Census(ctx context.Context, ties Ties) error {
	var begun struct {
		Census string `json:"census"`
	}
	// First this, then the ties are read: of those that are made meanwhile the hub knows that they could not be named.
	if err := p.CallOwn(ctx, ScopeLinksOwn, http.MethodPost, "/api/links/census", nil, &begun); err != nil {
		return err
	}
	path := "/api/links/census/" + url.PathEscape(begun.Census)
	for after := ""; ; {
		page, err := ties.Page(ctx, after, censusPage)
		if err != nil {
			return fmt.Errorf("read ties: %w", err)
		}
		if len(page) > 0 {
			if err := p.name(ctx, ties, path, page); err != nil {
				return err
			}
			after = page[len(page)-1].Sub
		}
		if len(page) < censusPage {
			break
		}
	}
	var ended struct {
		Broken int `json:"broken"`
	}
	if err := p.CallOwn(ctx, ScopeLinksOwn, http.MethodPost, path+"/end", nil, &ended); err != nil {
		return err
	}
	if ended.Broken > 0 {
		p.log.WarnContext(ctx, "the hub knew of ties that are not here", "broken", ended.Broken)
	}
	return nil
}

// name names some ties, and does what the hub says of them.
func (p *Party) name(ctx context.Context, ties Ties, path string, page []Tie) error {
	type named struct {
		Sub string `json:"sub"`
		Tie string `json:"tie"`
	}
	said := struct {
		Ties []named `json:"ties"`
	}{}
	for _, t := range page {
		said.Ties = append(said.Ties, named{t.Sub, t.Name})
	}
	var answer struct {
		Over []string `json:"over"`
	}
	if err := p.CallOwn(ctx, ScopeLinksOwn, http.MethodPost, path, said, &answer); err != nil {
		return err
	}
	over := map[string]bool{}
	for _, sub := range answer.Over {
		over[sub] = true
	}
	for _, t := range page {
		var err error
		switch {
		case over[t.Sub]:
			err = ties.Over(ctx, t)
		case !t.Reported:
			err = ties.Reported(ctx, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
