package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// linkage is what the authority said, in a login, of whose card a new one is.
type linkage string

// What there is to say of a card that opens no folder.
const (
	linkageUnasked  linkage = ""
	linkageNobody   linkage = "nobody"   // no older certificate, or none that any folder knows
	linkageSilent   linkage = "silent"   // nobody could or would say
	linkageConflict linkage = "conflict" // older certificates in two folders: which is meant is not for us to choose
)

// inherit asks the authority which older certificates the person had, and if one folder knows them, ties the new card to it. The answer
// itself is not kept. With errNoAccount the linkage says why not.
func (p *Provider) inherit(ctx context.Context, tx *transaction, proof *cardProof) (federation.AccountID, linkage, error) {
	older, err := p.predecessors(ctx, tx, proof)
	switch {
	case cardauth.Unlinked(err):
		return "", linkageNobody, errNoAccount
	case err != nil:
		var silent *cardauth.LinkageError
		if !errors.As(err, &silent) {
			return "", linkageUnasked, err
		}
		p.log.WarnContext(ctx, "linkage not told", "reason", silent.Reason.String(), "err", err, "trace", web.Trace(ctx))
		return "", linkageSilent, errNoAccount
	}
	s, owners, err := p.heritage(ctx, proof, older)
	switch {
	case err != nil:
		return "", linkageUnasked, err
	case len(owners) == 0:
		return "", linkageNobody, errNoAccount
	case len(owners) > 1:
		for _, owner := range owners {
			if err := p.record(ctx, audit.Event{Kind: eventCardConflict, Account: string(owner), Client: tx.clientID()}); err != nil {
				return "", linkageUnasked, err
			}
		}
		return "", linkageConflict, errNoAccount
	}
	id, err := p.accounts.succeed(ctx, s, func(ctx context.Context) error { return p.recordTie(ctx, tx, s) })
	if errors.Is(err, errMoved) {
		return "", linkageNobody, errNoAccount
	}
	return id, linkageUnasked, err
}

// predecessors are the bindings of the person's older certificates. A *cardauth.LinkageError says why there are none.
func (p *Provider) predecessors(ctx context.Context, tx *transaction, proof *cardProof) ([]cardauth.Binding, error) {
	h, err := p.openHandle(proof.Handle, inTransaction(tx.ID))
	if err != nil {
		return nil, err
	}
	return p.cards.Predecessors(ctx, h)
}

// heritage says which folders know the older certificates, and what tying the card to the first of them would be.
func (p *Provider) heritage(ctx context.Context, proof *cardProof, older []cardauth.Binding) (s succession, owners []federation.AccountID, err error) {
	s = succession{Proof: proof, Evidence: evidenceLinkage}
	for _, b := range older {
		owner, err := p.accounts.owner(ctx, b)
		if err != nil {
			return s, nil, fmt.Errorf("folder of an older card: %w", err)
		}
		if owner == "" {
			continue
		}
		if s.Account == "" {
			s.Account, s.Old = owner, refOfBinding(b)
		}
		if owner == s.Account {
			s.Ended = append(s.Ended, refOfBinding(b)) // of the same kind only, see succeed
		}
		if !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	return s, owners, nil
}

// recordTie tells the auditor what a tie rests on. No certificate is named: the folder's history does that, in digests.
func (p *Provider) recordTie(ctx context.Context, tx *transaction, s succession) error {
	return p.record(ctx, audit.Event{Kind: eventCardTied, Account: string(s.Account), Client: tx.clientID(), Facts: map[string]string{
		"evidence": string(s.Evidence), "kind": s.Proof.Kind, "revocation": s.Proof.Source,
	}})
}

// bothLife is how long the two proofs of one person may be apart.
const bothLife = 5 * time.Minute

// joining is whose folder the new card of a login is to join: the owner proved herself in the same login and the same browser.
type joining struct {
	Account federation.AccountID `json:"a"`
	Way     string               `json:"w"`           // card, session or passkey
	Card    cardRef              `json:"c,omitzero"`  // with Way card, and with session if a card made it
	Handle  []byte               `json:"h,omitempty"` // with Way card: of that card, sealed for the transaction
	Passkey string               `json:"p,omitempty"` // with Way passkey
	At      int64                `json:"t"`           // Unix seconds of the proof
}

func (j *joining) fresh(now time.Time) bool {
	return now.Sub(time.Unix(j.At, 0)) <= bothLife
}

// sameOwner asks the authority whether two cards are one person's, if it can be asked: the younger names the older. Silence is no
// objection, since both cards were proven; a clear answer that they are not is one.
func (p *Provider) sameOwner(ctx context.Context, tx *transaction, proof *cardProof, j *joining) (bool, error) {
	if j.Way != "card" {
		return p.namesFolder(ctx, tx, proof, j.Account)
	}
	named := func(of []byte, other cardRef) (yes, clear bool, err error) {
		h, err := p.openHandle(of, inTransaction(tx.ID))
		if err != nil {
			return false, false, err
		}
		list, err := p.cards.Predecessors(ctx, h)
		if cardauth.Unlinked(err) {
			return false, true, nil
		}
		var silent *cardauth.LinkageError
		if errors.As(err, &silent) {
			return false, false, nil
		}
		return slices.ContainsFunc(list, func(b cardauth.Binding) bool { return refOfBinding(b) == other }), true, err
	}
	forth, clearForth, err := named(proof.Handle, j.Card)
	if err != nil || forth {
		return forth, err
	}
	back, clearBack, err := named(j.Handle, proof.ref())
	if err != nil || back {
		return back, err
	}
	return !clearForth || !clearBack, nil
}

// namesFolder is sameOwner for a proof without a card: an answer that names cards of another folder is an objection.
func (p *Provider) namesFolder(ctx context.Context, tx *transaction, proof *cardProof, account federation.AccountID) (bool, error) {
	older, err := p.predecessors(ctx, tx, proof)
	var silent *cardauth.LinkageError
	if errors.As(err, &silent) {
		return !cardauth.Unlinked(err), nil
	}
	if err != nil {
		return false, err
	}
	_, owners, err := p.heritage(ctx, proof, older)
	return slices.Equal(owners, []federation.AccountID{account}), err
}

// join ties the new card of a login to the folder whose owner is there, and signs in.
func (p *Provider) join(c echo.Context, tx *transaction) error {
	ctx := c.Request().Context()
	same, err := p.sameOwner(ctx, tx, tx.Proof, tx.Joins)
	if err != nil {
		return err
	}
	if !same {
		if err := p.record(ctx, audit.Event{Kind: eventCardNotJoined, Account: string(tx.Joins.Account), Client: tx.clientID(), Reason: "other_person"}); err != nil {
			return err
		}
		return p.again(c, tx, "not_same")
	}
	s := succession{Proof: tx.Proof, Account: tx.Joins.Account, Evidence: evidenceBoth, Old: tx.Joins.Card}
	id, err := p.accounts.succeed(ctx, s, func(ctx context.Context) error { return p.recordTie(ctx, tx, s) })
	if errors.Is(err, errMoved) {
		return p.again(c, tx, "stale")
	}
	if word := refusalOf(err); word != "" { // tied in another browser meanwhile
		return p.refuseProven(c, tx, id, word)
	}
	if err != nil {
		return fmt.Errorf("tie card: %w", err)
	}
	n := sessionOf(tx.Proof)
	n.Account = id
	if err := p.signIn(c, tx, n); err != nil {
		return err
	}
	return p.resume(c, tx)
}

// provenNobody goes on with a good card that opens no folder.
func (p *Provider) provenNobody(c echo.Context, tx *transaction, proof *cardProof) error {
	if tx.Newcomer != nil && tx.Newcomer.fresh(p.now()) && tx.Newcomer.ref() != proof.ref() {
		// The card that was to show whose folder it is opens none either. The newcomer stays the one that the login is about.
		tx.Newcomer, proof = nil, tx.Newcomer
		if err := tx.move(Proven); err != nil {
			return err
		}
		tx.Proof = proof
		return p.again(c, tx, "no_folder")
	}
	ctx := c.Request().Context()
	id, said, err := p.inherit(ctx, tx, proof)
	if err == nil {
		return p.provenOwner(c, tx, proof, id)
	}
	if word := refusalOf(err); word != "" { // tied in another browser meanwhile
		return p.refuseProven(c, tx, id, word)
	}
	if !errors.Is(err, errNoAccount) {
		return err
	}
	if err := tx.move(Proven); err != nil {
		return err
	}
	still := said == linkageSilent && tx.Linkage == linkageSilent
	tx.Proof, tx.Linkage, tx.Newcomer, tx.Joins, tx.First = proof, said, nil, nil, false
	if still {
		return p.again(c, tx, "still_silent")
	}
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, tx.folderPage()+"?"+pageQuery(tx))
}

// provenOwner goes on with a good card whose folder is known: into it, or, if it came to show whose folder a newcomer is to join, to the
// question whether it is.
func (p *Provider) provenOwner(c echo.Context, tx *transaction, proof *cardProof, id federation.AccountID) error {
	if tx.Newcomer != nil && tx.Newcomer.fresh(p.now()) && tx.Newcomer.ref() != proof.ref() && proof.ACR != ACRRemote {
		if err := tx.move(Proven); err != nil {
			return err
		}
		tx.Proof, tx.Newcomer = tx.Newcomer, nil
		return p.offerJoin(c, tx, &joining{Account: id, Way: "card", Card: proof.ref(), Handle: proof.Handle, At: proof.At})
	}
	s := sessionOf(proof)
	s.Account = id
	if err := p.signIn(c, tx, s); err != nil {
		return err
	}
	return p.resume(c, tx)
}

func (p *cardProof) fresh(now time.Time) bool { return now.Sub(time.Unix(p.At, 0)) <= bothLife }
