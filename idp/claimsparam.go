package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// Bounds of a claims parameter.
const (
	maxClaimsBytes = 8 << 10
	maxClaims      = 64
	maxClaimName   = 128 // bytes
	maxClaimValues = 16
)

// claimsRequest is the judged claims parameter (OIDC Core §5.5). What it asks for of verified claims stands apart: neither kind is ever given
// for the other.
type claimsRequest struct {
	Userinfo map[string]*claimAsk `json:"userinfo,omitempty"`
	IDToken  map[string]*claimAsk `json:"id_token,omitempty"`

	VerifiedUserinfo *verifiedAsks `json:"verified_userinfo,omitempty"`
	VerifiedIDToken  *verifiedAsks `json:"verified_id_token,omitempty"`
}

// claimAsk is how one claim is asked for; the zero value asks for it voluntarily and whatever it be.
type claimAsk struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

// wanted returns the values that are strings; any will do.
func (a *claimAsk) wanted() []string {
	var out []string
	for _, raw := range append([]json.RawMessage{a.Value}, a.Values...) {
		if s, ok := stringOf(raw); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

var errClaims = errors.New("claims parameter malformed")

// parseClaims reads the parameter. Members that nobody here knows, at the top or inside a claim, are ignored as OIDC Core §5.5 asks; which
// claims exist is not for this to know.
func parseClaims(s string) (*claimsRequest, error) {
	if len(s) > maxClaimsBytes {
		return nil, errClaims
	}
	top, err := members([]byte(s))
	if err != nil {
		return nil, errClaims
	}
	var out claimsRequest
	if out.Userinfo, out.VerifiedUserinfo, err = parseAsks(top["userinfo"]); err != nil {
		return nil, err
	}
	if out.IDToken, out.VerifiedIDToken, err = parseAsks(top["id_token"]); err != nil {
		return nil, err
	}
	if len(out.Userinfo)+len(out.IDToken)+out.VerifiedUserinfo.count()+out.VerifiedIDToken.count() > maxClaims {
		return nil, errClaims
	}
	return &out, nil
}

// parseAsks reads one place: what is asked for, and what of it verified.
func parseAsks(raw json.RawMessage) (map[string]*claimAsk, *verifiedAsks, error) {
	if len(raw) == 0 || isNull(raw) {
		return nil, nil, nil
	}
	all, err := members(raw)
	if err != nil {
		return nil, nil, errClaims
	}
	var verified *verifiedAsks
	if raw, there := all[verifiedMember]; there {
		if verified, err = parseVerified(raw); err != nil {
			return nil, nil, err
		}
		delete(all, verifiedMember)
	}
	asks, err := askEach(all)
	return asks, verified, err
}

// parseClaimAsks reads an object of claims.
func parseClaimAsks(raw json.RawMessage) (map[string]*claimAsk, error) {
	all, err := members(raw)
	if err != nil {
		return nil, errClaims
	}
	return askEach(all)
}

func askEach(all map[string]json.RawMessage) (_ map[string]*claimAsk, err error) {
	out := make(map[string]*claimAsk, len(all))
	for name, raw := range all {
		if name == "" || len(name) > maxClaimName {
			return nil, errClaims
		}
		if out[name], err = parseAsk(raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseAsk(raw json.RawMessage) (*claimAsk, error) {
	ask := new(claimAsk)
	if isNull(raw) {
		return ask, nil
	}
	all, err := members(raw)
	if err != nil {
		return nil, errClaims
	}
	if raw, there := all["essential"]; there && json.Unmarshal(raw, &ask.Essential) != nil || isNull(all["essential"]) {
		return nil, errClaims
	}
	if raw, there := all["value"]; there {
		ask.Value = compact(raw)
	}
	if raw, there := all["values"]; there {
		if raw[0] != '[' || json.Unmarshal(raw, &ask.Values) != nil || len(ask.Values) == 0 || len(ask.Values) > maxClaimValues {
			return nil, errClaims
		}
		for i, v := range ask.Values {
			ask.Values[i] = compact(v)
		}
	}
	return ask, nil
}

func compact(raw json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw // not reached: it was decoded before
	}
	return out.Bytes()
}

// checkClaims takes from the claims parameter what decides about the login: who it must be, and how. It comes after acr_values and the
// hint, which say the same in other words.
func checkClaims(p *Provider, _ context.Context, d *draft) error {
	text := d.form.Get("claims")
	if text == "" {
		return nil
	}
	claims, err := parseClaims(text)
	if err != nil {
		return invalidRequest("claims is not a claims request of at most 8 KiB, 64 claims and 16 values each (OpenID Connect Core 5.5, OpenID Connect for Identity Assurance 5)")
	}
	if p.signing == nil { // nobody here has anything verified: as a claim that nobody knows
		claims.VerifiedUserinfo, claims.VerifiedIDToken = nil, nil
	}
	d.out.Claims = claims
	for _, asks := range []map[string]*claimAsk{claims.IDToken, claims.Userinfo} {
		if err := wantSubject(&d.out, asks["sub"]); err != nil {
			return err
		}
	}
	wantLevel(&d.out, claims.IDToken["acr"])
	return nil
}

// wantSubject: whoever logs in must be this one (OIDC Core §5.5.1), as with id_token_hint.
func wantSubject(r *authzRequest, ask *claimAsk) error {
	if ask == nil || ask.Value == nil && ask.Values == nil {
		return nil
	}
	subjects := ask.wanted()
	if len(subjects) != 1 {
		return invalidRequest("sub can be asked for with one value only")
	}
	if r.HintSub != "" && r.HintSub != subjects[0] {
		return &oauthError{code: "login_required", description: "the request names two different citizens"}
	}
	r.HintSub = subjects[0]
	return nil
}

// wantLevel: an essential acr must be met or the login fails, any other is a wish like acr_values (OIDC Core §5.5.1.1). A level nobody has
// heard of cannot be met.
func wantLevel(r *authzRequest, ask *claimAsk) {
	if ask == nil || ask.Value == nil && ask.Values == nil {
		return
	}
	levels := slices.DeleteFunc(ask.wanted(), func(s string) bool { return acrRank[s] == 0 })
	if ask.Essential {
		r.ACR, r.ACREssential = levels, true
		return
	}
	r.ACR = append(r.ACR, levels...)
}

// encoded returns the claims parameter for the grant.
func (c *claimsRequest) encoded() (json.RawMessage, error) {
	if c == nil {
		return nil, nil
	}
	return json.Marshal(c)
}

// names returns every claim asked for, once, in order.
func (c *claimsRequest) names() []string {
	if c == nil {
		return nil
	}
	all := slices.Collect(maps.Keys(c.Userinfo))
	all = slices.AppendSeq(all, maps.Keys(c.IDToken))
	slices.Sort(all)
	return slices.Compact(all)
}
