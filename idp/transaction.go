package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// transactionLife is how long a citizen may take from arriving to being back at the service.
const transactionLife = 10 * time.Minute

// State is where a login transaction stands.
type State string

// The states of a login transaction.
const (
	Received       State = "received"
	Authenticating State = "authenticating"
	Proven         State = "proven"
	Authenticated  State = "authenticated"
	Consented      State = "consented"
	Completed      State = "completed"
	Refused        State = "refused"
)

// moves is the whole state machine: from each state, the states it may enter.
var moves = map[State][]State{
	Received:       {Authenticating, Authenticated, Refused},
	Authenticating: {Authenticating, Proven, Authenticated, Refused},
	Proven:         {Authenticating, Authenticated, Refused},
	Authenticated:  {Consented, Authenticating, Completed, Refused},
	Consented:      {Completed, Authenticating, Authenticated, Refused}, // back to Authenticated: the consent was ended in another window
	Completed:      {},
	Refused:        {},
}

func (s State) mayEnter(to State) bool { return slices.Contains(moves[s], to) }

// transaction is one login on its way: what was asked, by which browser, and how far it came. Its id is in URLs; the proof that
// the browser is the one that started it is in a cookie, of which only the digest is here.
type transaction struct {
	ID        string            `json:"-"`
	version   ephemeral.Version // of the stored record; 0 when not stored
	State     State             `json:"s"`
	Browser   string            `json:"b"`
	Request   *authzRequest     `json:"r,omitempty"` // nil: one of the hub's own pages asked
	Return    string            `json:"p,omitempty"` // the hub's own path to go to when Request is nil
	StartedAt int64             `json:"t"`           // Unix seconds

	Challenge string     `json:"c,omitempty"`  // the newest card challenge
	Pairing   string     `json:"ph,omitempty"` // the newest pairing with a phone
	Proof     *cardProof `json:"k,omitempty"`  // a good card whose owner has no folder yet
	Linkage   linkage    `json:"lk,omitempty"` // what the authority said of the card's owner, with Proof
	First     bool       `json:"f,omitempty"`  // the citizen says that there is no folder yet
	Newcomer  *cardProof `json:"n,omitempty"`  // a good card that waits for another one to show whose folder it is to open
	Joins     *joining   `json:"j,omitempty"`  // whose folder the card of Proof is to open, if the citizen confirms it
	Relinks   cardRef    `json:"rl,omitzero"`  // the card of Proof, if its owner was sent to sign for it
	Prepares  bool       `json:"pp,omitempty"` // the citizen was sent to sign so that a later card can be recognised
	Confirms  bool       `json:"cn,omitempty"` // the citizen was sent to confirm what her signature certificate says of her
	Attested  bool       `json:"at,omitempty"` // she did so on the consent page, which is to show it
	SID       string     `json:"i,omitempty"`  // the session this login made
	Login     int64      `json:"l,omitempty"`  // when it made it, Unix seconds
	Shown     string     `json:"w,omitempty"`  // the session whose person was shown the consent page
	Asked     []string   `json:"a,omitempty"`  // the scopes that the consent page shows
	Decided   bool       `json:"d,omitempty"`  // the citizen agreed on the consent page in this login

	Acting  federation.MandateID `json:"fo,omitempty"` // by which the citizen said she signs in for another; empty: for herself
	Chooser string               `json:"fc,omitempty"` // the session in which she said so; empty: she has not

	Card  bool `json:"ca,omitempty"` // the hub's own page wants a card login of the last minutes
	Again bool `json:"ag,omitempty"` // the citizen signs in again because the session cannot go on for longer

	Signature string `json:"sg,omitempty"` // the document was signed: the id of the signature

	// A login that another device asked for (RFC 8628) ends in that device's request and not in a redirect.
	Device    string   `json:"dv,omitempty"` // which request, see deviceRecord
	UserCode  userCode `json:"uc,omitempty"` // as typed, to be shown once more
	Confirmed bool     `json:"cf,omitempty"` // the citizen said that the device is hers
}

// cardProof is what a verified card response leaves behind until an account is known. It holds no certificate.
type cardProof struct {
	IssuerKey string `json:"ik"`
	Serial    []byte `json:"sd"` // keyed digest
	Kind      string `json:"kd"`
	NotAfter  int64  `json:"na"`
	ACR       string `json:"ac"`           // the level that the card signed
	Source    string `json:"rs"`           // where the revocation answer came from
	Produced  int64  `json:"rp,omitempty"` // when it was produced
	At        int64  `json:"at"`
	Removal   string `json:"rm,omitempty"` // digest of the card app's token, see removal
	Handle    []byte `json:"h"`            // sealed for the transaction, see handle.go
}

func (p *cardProof) ref() cardRef { return refOf(p.IssuerKey, p.Serial) }

// errMove is a move the table does not allow: an old tab, a second press, or a forged request.
var errMove = errors.New("move not allowed")

func (tx *transaction) move(to State) error {
	if !tx.State.mayEnter(to) {
		return fmt.Errorf("%s to %s: %w", tx.State, to, errMove)
	}
	tx.State = to
	return nil
}

// transactions keeps login transactions in the ephemeral store.
type transactions struct {
	store ephemeral.Store
}

func txKey(id string) string { return "tx:1:" + id }

func (t transactions) create(ctx context.Context, tx *transaction) error {
	b, err := json.Marshal(tx)
	if err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	tx.ID = newID()
	if err := t.store.Create(ctx, txKey(tx.ID), b, transactionLife); err != nil {
		return fmt.Errorf("store transaction: %w", err)
	}
	rec, err := t.store.Get(ctx, txKey(tx.ID))
	if err != nil {
		return fmt.Errorf("read transaction back: %w", err)
	}
	tx.version = rec.Version
	return nil
}

// get returns the transaction, or an *Error with LoginExpired.
func (t transactions) get(ctx context.Context, id string) (*transaction, error) {
	if !wellFormedID(id) {
		return nil, &Error{Reason: LoginExpired, Detail: "transaction id malformed"}
	}
	rec, err := t.store.Get(ctx, txKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, &Error{Reason: LoginExpired, Detail: "no such transaction"}
	}
	if err != nil {
		return nil, fmt.Errorf("read transaction: %w", err)
	}
	tx := &transaction{ID: id, version: rec.Version}
	if err := json.Unmarshal(rec.Value, tx); err != nil {
		return nil, fmt.Errorf("decode transaction: %w", err)
	}
	return tx, nil
}

// save swaps the stored record for tx. A lost swap means another request of the same browser moved the login on; the caller
// answers by looking at the new state, so it is reported as errMove.
func (t transactions) save(ctx context.Context, tx *transaction) error {
	b, err := json.Marshal(tx)
	if err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	err = t.store.Swap(ctx, txKey(tx.ID), tx.version, b, 0)
	if errors.Is(err, ephemeral.ErrConflict) {
		return fmt.Errorf("transaction was moved meanwhile: %w", errMove)
	}
	if err != nil {
		return fmt.Errorf("store transaction: %w", err)
	}
	rec, err := t.store.Get(ctx, txKey(tx.ID))
	if err != nil {
		return fmt.Errorf("read transaction back: %w", err)
	}
	if !bytes.Equal(rec.Value, b) { // the version belongs to somebody else's step
		return fmt.Errorf("transaction was moved meanwhile: %w", errMove)
	}
	tx.version = rec.Version
	return nil
}

// sessionFacts is what next needs to know of the browser's session.
type sessionFacts struct {
	Account  federation.AccountID
	AuthTime time.Time
	Last     time.Time // used, at the hub
	ACR      string
	Here     bool // made by this very transaction
	Unsure   bool // see Recheck.Patience
}
