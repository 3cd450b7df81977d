package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
)

// claimsOfScope are the claims that a scope asks for (OIDC Core §5.4).
var claimsOfScope = map[string][]string{
	clients.ScopeProfile: {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
		"birthdate", "zoneinfo", "locale", "updated_at",
	},
	clients.ScopeEmail:   {"email", "email_verified"},
	clients.ScopePhone:   {"phone_number", "phone_number_verified"},
	clients.ScopeAddress: {"address"},
}

// scopeOfClaim returns the scope whose consent hands the claim out, or "" for a claim that says nothing personal or that nobody knows.
func scopeOfClaim(claim string) string {
	for scope, list := range claimsOfScope {
		if slices.Contains(list, claim) {
			return scope
		}
	}
	return ""
}

// personalClaims are all claims of claimsOfScope, sorted.
func personalClaims() []string {
	return slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(claimsOfScope))...)))
}

// needed returns the scopes that the citizen has to agree to: those that were asked for, and those that cover a claim that was asked for
// by name. A claim whose scope the client is not registered for is as if it had not been asked for.
func needed(c *clients.Client, req *authzRequest) []string {
	out := slices.Clone(req.Scopes)
	for _, claim := range req.Claims.names() {
		if scope := scopeOfClaim(claim); scope != "" && slices.Contains(c.Scopes(), scope) && !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	for _, scope := range req.Claims.verifiedScopes(false) {
		if slices.Contains(c.Scopes(), scope) {
			out = append(out, scope)
		}
	}
	return out
}

// verifiedScopes are the scopes of the verified claims that are asked for, once, or only of the essential ones.
func (r *claimsRequest) verifiedScopes(essential bool) []string {
	if r == nil {
		return nil
	}
	out := r.VerifiedUserinfo.scopes(essential)
	for _, scope := range r.VerifiedIDToken.scopes(essential) {
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out
}

// within leaves out the claims of scopes that are not among these. Whoever agreed did not agree to them, whatever the client registers for
// later.
func (r *claimsRequest) within(scopes []string) *claimsRequest {
	if r == nil {
		return nil
	}
	beyond := func(claim string, _ *claimAsk) bool {
		scope := scopeOfClaim(claim)
		return scope != "" && !slices.Contains(scopes, scope)
	}
	out := &claimsRequest{Userinfo: maps.Clone(r.Userinfo), IDToken: maps.Clone(r.IDToken)}
	maps.DeleteFunc(out.Userinfo, beyond)
	maps.DeleteFunc(out.IDToken, beyond)
	out.VerifiedUserinfo, out.VerifiedIDToken = r.VerifiedUserinfo.within(scopes), r.VerifiedIDToken.within(scopes)
	return out
}

// claims are all claims that the statement yields. What the citizen wrote nobody checked, and the claims say so (OIDC Core §5.1). A
// claim without a value is left out (§5.3.2).
func (s statement) claims() map[string]any {
	out := map[string]any{}
	for name, value := range s.values {
		if !strings.HasPrefix(string(name), "address.") {
			out[string(name)] = value
		}
	}
	if s.values[attrEmail] != "" {
		out["email_verified"] = false
	}
	if s.values[attrPhone] != "" {
		out["phone_number_verified"] = false
	}
	if address := s.address(); len(address) > 0 {
		out["address"] = address
	}
	if !s.empty() {
		out["updated_at"] = s.changed
	}
	return out
}

// address is the claim of OIDC Core §5.1.1.
func (s statement) address() map[string]string {
	out := map[string]string{}
	for _, name := range []attribute{attrPostalCode, attrRegion, attrLocality, attrStreet, attrCountry} {
		if v := s.values[name]; v != "" {
			out[strings.TrimPrefix(string(name), "address.")] = v
		}
	}
	if len(out) > 0 {
		out["formatted"] = s.letterAddress()
	}
	return out
}

// letterAddress is the address as it stands on a letter: from the large to the small in Japan, the other way round elsewhere.
func (s statement) letterAddress() string {
	postal, region, locality, street, country := s.values[attrPostalCode], s.values[attrRegion], s.values[attrLocality], s.values[attrStreet], s.values[attrCountry]
	join := func(separator string, parts ...string) string {
		return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), separator)
	}
	switch strings.ToLower(country) {
	case "", "日本", "日本国", "jp", "jpn", "japan":
		if postal != "" {
			postal = "〒" + postal
		}
		return join("\n", postal, region+locality+street, country)
	}
	return join("\n", street, join(" ", join(", ", locality, region), postal), country)
}

// personal returns the claims about the citizen that go to the client of the grant: those of the scopes, and those asked for by name
// whose scope the citizen agreed to then and the client is still registered for.
func (p *Provider) personal(ctx context.Context, g *grant, scopes []string, asked map[string]*claimAsk) (map[string]any, error) {
	c, err := p.client(ctx, g.Client)
	if err != nil {
		return nil, err
	}
	wanted := map[string]*claimAsk{}
	for claim, ask := range asked {
		if scope := scopeOfClaim(claim); scope != "" && slices.Contains(c.Scopes(), scope) {
			wanted[claim] = ask
		}
	}
	for _, scope := range scopes {
		if slices.Contains(c.Scopes(), scope) {
			for _, claim := range claimsOfScope[scope] {
				wanted[claim] = nil
			}
		}
	}
	if len(wanted) == 0 || g.Account == "" || g.Acting != nil { // a representative learns nothing of her here
		return nil, nil
	}
	s, err := p.attributes.of(ctx, g.Account)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for claim, value := range s.claims() {
		if ask, there := wanted[claim]; there && ask.accepts(value) {
			out[claim] = value
		}
	}
	return out, nil
}

// accepts says whether a value is one of those that were asked for (OIDC Core §5.5.1). Another value is no answer to the question.
func (a *claimAsk) accepts(value any) bool {
	if a == nil || a.Value == nil && len(a.Values) == 0 {
		return true
	}
	have, err := json.Marshal(value)
	if err != nil {
		return false
	}
	same := func(want json.RawMessage) bool { return sameJSON(have, want) }
	return a.Value != nil && same(a.Value) || slices.ContainsFunc(a.Values, same)
}

// sameJSON compares two values whatever their spelling.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, err := json.Marshal(x)
	two, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(one, two)
}

// asked returns the claims parameter of the request that the grant came of.
func (g *grant) asked() (*claimsRequest, error) {
	if len(g.Claims) == 0 {
		return nil, nil
	}
	var r claimsRequest
	if err := json.Unmarshal(g.Claims, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", errGrantCorrupt, err)
	}
	return &r, nil
}

func (r *claimsRequest) userinfo() map[string]*claimAsk {
	if r == nil {
		return nil
	}
	return r.Userinfo
}

func (r *claimsRequest) idToken() map[string]*claimAsk {
	if r == nil {
		return nil
	}
	return r.IDToken
}

func (r *claimsRequest) verifiedUserinfo() *verifiedAsks {
	if r == nil {
		return nil
	}
	return r.VerifiedUserinfo
}

func (r *claimsRequest) verifiedIDToken() *verifiedAsks {
	if r == nil {
		return nil
	}
	return r.VerifiedIDToken
}
