package idp

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// grant is everything one authorization has become: its code, its PKCE challenge and its tokens, in one ephemeral record. Every
// token carries the grant's id, and the record holds only digests, so spending a code and creating its tokens is one swap of one
// record, on any store, and a copy of the store lets nobody in.
type grant struct {
	ID string `json:"-"`

	Client    clients.ID           `json:"c"`
	Account   federation.AccountID `json:"a"`            // empty: the client acts for itself (RFC 6749 §4.4)
	Subject   string               `json:"s"`            // pairwise
	SID       string               `json:"i"`            // the session it was made in
	Known     int64                `json:"kn,omitempty"` // since when the folder knows that session's browser; Unix milliseconds
	Tx        string               `json:"t,omitempty"`
	Consent   int64                `json:"k"` // the consent it rests on
	Scopes    []string             `json:"sc"`
	Redirect  string               `json:"u"`
	Nonce     string               `json:"n,omitempty"`
	Challenge string               `json:"ch,omitempty"` // PKCE, S256
	JKT       string               `json:"j,omitempty"`  // the DPoP key the code is bound to (RFC 9449 §10)
	AuthTime  int64                `json:"at"`           // Unix seconds
	ACR       string               `json:"ac"`
	Told      string               `json:"tc,omitempty"` // the level the client is told, if that is another; see answeredACR
	AMR       []string             `json:"am"`
	Session   int64                `json:"se"`           // Unix milliseconds of the session's login, compared with "signed out everywhere"
	Card      cardRef              `json:"cd,omitzero"`  // that the session was made with; zero: with something else
	Passkey   string               `json:"pk,omitempty"` // that the session was made with
	Issued    int64                `json:"is"`           // Unix milliseconds
	Hard      int64                `json:"h"`            // Unix seconds after which nothing of the grant lives
	Idle      int64                `json:"il,omitempty"` // seconds that tokens live for, if the client wants them to live shorter
	Acting    *acting              `json:"fo,omitempty"` // somebody acts for the citizen
	Parent    string               `json:"pa,omitempty"` // the grant whose token was exchanged for this one's (RFC 8693)
	Exchange  string               `json:"ex,omitempty"` // the exchange between offices it was made for; it has no session and no consent
	Ended     bool                 `json:"x,omitempty"`
	Probe     *probeMark           `json:"pb,omitempty"` // it is of a pre-flight, and about nobody
	Device    bool                 `json:"dv,omitempty"` // a device without a browser has the tokens (RFC 8628)

	Resources []string        `json:"rs,omitempty"` // resource indicators of the authorization (RFC 8707)
	Details   json.RawMessage `json:"ad,omitempty"` // authorization_details that were granted (RFC 9396 §7)
	Claims    json.RawMessage `json:"cl,omitempty"` // the judged claims parameter (OIDC Core §5.5)

	Code    codeRecord      `json:"co"`
	Access  []accessRecord  `json:"ta,omitempty"`
	Refresh []refreshRecord `json:"tr,omitempty"`
}

type codeRecord struct {
	Digest string `json:"d"`
	Exp    int64  `json:"e"`
	Spent  bool   `json:"s,omitempty"`
}

type accessRecord struct {
	Digest string   `json:"d"`
	Exp    int64    `json:"e"`
	At     int64    `json:"i,omitempty"`  // Unix seconds of its making
	Scopes []string `json:"sc,omitempty"` // nil: all of the grant's
	JKT    string   `json:"j,omitempty"`  // thumbprint of the DPoP key it is bound to (RFC 9449 §6)
	X5T    string   `json:"x,omitempty"`  // thumbprint of the certificate it is bound to (RFC 8705 §3.1)
	Aud    []string `json:"au,omitempty"` // resources it is for (RFC 8707); none: the hub's own endpoints
	Sub    string   `json:"su,omitempty"` // what those call the citizen; empty: what the client does
	Act    *actor   `json:"ac,omitempty"` // who acts, by exchange or for the citizen

	Details json.RawMessage `json:"ad,omitempty"` // nil: all of the grant's
}

type refreshRecord struct {
	Digest string `json:"d"`
	Exp    int64  `json:"e"`
	Used   int64  `json:"u,omitempty"` // Unix seconds of the rotation, 0 while it is the live one
	JKT    string `json:"j,omitempty"` // as above; public clients only (RFC 9449 §5)
	X5T    string `json:"x,omitempty"` // as above; public clients only (RFC 8705 §4)
}

// Bounds of one grant record.
const (
	maxUsedRefresh = 8  // rotated tokens remembered, to recognise a stolen one
	maxAccess      = 16 // live access tokens
)

// Lifetimes of what a grant holds.
const (
	codeLife    = 60 * time.Second
	accessLife  = 10 * time.Minute
	idTokenLife = 10 * time.Minute
	refreshLife = 14 * 24 * time.Hour // sliding
	grantLife   = 90 * 24 * time.Hour // absolute
	// Inside this time after its rotation a refresh token is refused without ending the grant: a doubled request is no theft.
	refreshGrace = 10 * time.Second
)

// kind is what a token is; it is its first letters too, so that one kind never passes for another.
type kind string

const (
	kindCode    kind = "tsc_"
	kindAccess  kind = "tsa_"
	kindRefresh kind = "tsr_"
	kindDevice  kind = "tsd_"
	kindJWT     kind = "tsj_" // not a token but the jti of one (RFC 9068 §2.2)
	kindForeign kind = "tsf_" // an access token for a resource that knows the citizen by another name than the client
)

const tokenLength = 4 + 22 + 43

// newToken returns a token of the grant: kind, grant id, 256 random bits.
func newToken(k kind, grantID string) string { return string(k) + grantID + newSecret() }

// grantOf returns the id inside a well-formed token of the kind, or "".
func grantOf(k kind, token string) string {
	if len(token) != tokenLength || token[:4] != string(k) || !isBase64URL(token[4:], tokenLength-4) {
		return ""
	}
	return token[4:26]
}

var errGrantCorrupt = errors.New("grant record corrupt")

func decodeGrant(id string, b []byte) (*grant, error) {
	g := &grant{ID: id}
	if err := json.Unmarshal(b, g); err != nil {
		return nil, fmt.Errorf("%w: %w", errGrantCorrupt, err)
	}
	return g, nil
}

// limit makes what comes of the grant live no longer than the client wants its sign-ins to.
func (g *grant) limit(c *clients.Client) {
	if d := c.SessionAbsolute(); d > 0 {
		g.Hard = min(g.Hard, g.AuthTime+int64(d.Seconds()))
	}
	g.Idle = int64(c.SessionIdle().Seconds())
}

// within is the end of a token that is to live from now until a time at most.
func (g *grant) within(now time.Time, exp int64) int64 {
	if g.Idle > 0 {
		exp = min(exp, now.Unix()+g.Idle)
	}
	return min(exp, g.Hard)
}

// told is the level of the sign-in in the client's own terms; resources judge by ACR.
func (g *grant) told() string { return cmp.Or(g.Told, g.ACR) }

// offline: the grant's tokens outlive the session.
func (g *grant) offline() bool { return g.Code.Spent && slices.Contains(g.Scopes, "offline_access") }

func (g *grant) encode() ([]byte, error) { return json.Marshal(g) }

// prune forgets what has expired, so that a grant refreshed for months stays small.
func (g *grant) prune(now int64) {
	g.Access = slices.DeleteFunc(g.Access, func(a accessRecord) bool { return a.Exp <= now })
	if n := len(g.Access); n > maxAccess {
		g.Access = slices.Delete(g.Access, 0, n-maxAccess)
	}
	used := 0
	for i := len(g.Refresh) - 1; i >= 0; i-- {
		if g.Refresh[i].Used == 0 {
			continue
		}
		if used++; used > maxUsedRefresh {
			g.Refresh = slices.Delete(g.Refresh, i, i+1)
		}
	}
}

// life is how long the record must be kept from now: as long as anything in it lives, and as long as a login may take, so that a
// second completion of the same request finds it.
func (g *grant) life(now time.Time) time.Duration {
	end := g.Code.Exp + int64(transactionLife.Seconds())
	for _, a := range g.Access {
		end = max(end, a.Exp)
	}
	for _, r := range g.Refresh {
		end = max(end, r.Exp)
	}
	end = min(end, max(g.Hard, g.Code.Exp+int64(transactionLife.Seconds())))
	return max(time.Second, time.Unix(end, 0).Sub(now))
}

func (g *grant) access(d string) *accessRecord {
	for i := range g.Access {
		if g.Access[i].Digest == d {
			return &g.Access[i]
		}
	}
	return nil
}

func (g *grant) refresh(d string) *refreshRecord {
	for i := range g.Refresh {
		if g.Refresh[i].Digest == d {
			return &g.Refresh[i]
		}
	}
	return nil
}

// scopesOf returns what an access token of the grant may do.
func (g *grant) scopesOf(a *accessRecord) []string {
	if a.Scopes != nil {
		return a.Scopes
	}
	return g.Scopes
}
