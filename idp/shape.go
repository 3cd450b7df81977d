package idp

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
)

// Fillers of a shape: what has to be there for the request to be one, and says nothing.
const (
	fillerDigest = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // 32 bytes in base64url
	fillerWord   = "x"
)

// noteRequest counts an authorization request that was judged.
func (p *Provider) noteRequest(d *draft, err error) {
	switch {
	case p.shapes == nil || d.client == nil:
	case err != nil:
		p.noteRefused(d.client.ID(), err)
	case d.pushed:
		p.shapes.Note(d.client.ID(), p.shapeOf(d, shapes.Pushed))
	default:
		p.shapes.Note(d.client.ID(), p.shapeOf(d, shapes.Authorization))
	}
}

// noteDevice counts the request of a device.
func (p *Provider) noteDevice(d *draft, err error) {
	switch {
	case p.shapes == nil:
	case err != nil:
		p.noteRefused(d.client.ID(), err)
	default:
		p.shapes.Note(d.client.ID(), p.shapeOf(d, shapes.Device))
	}
}

// noteRefused counts a refusal by its reason, which is a word of ours or of the protocol. What belongs to the protocol's ordinary course is none.
func (p *Provider) noteRefused(client clients.ID, err error) {
	if p.shapes == nil || client == "" {
		return
	}
	switch word := wordOf(err); word {
	case "", "use_dpop_nonce", "authorization_pending", "slow_down":
	default:
		p.shapes.Note(client, shapes.Shape{Kind: shapes.Refused, Reason: word})
	}
}

// wordOf returns the reason of a refusal; "" for the hub's own trouble.
func wordOf(err error) string {
	if o, ok := errors.AsType[*oauthError](err); ok {
		return o.code
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason.String()
	}
	if e, ok := errors.AsType[*clients.Error](err); ok {
		return e.Reason.String()
	}
	return ""
}

// shapeOf is the shape of an accepted request. Every value in it is one that was compared with a closed list, or with what the client registered;
// whatever else there was is left out, or stands as a filler if it being there is what counts.
func (p *Provider) shapeOf(d *draft, kind shapes.Kind) shapes.Shape {
	r := &d.out
	s := shapes.Shape{Kind: kind, Parameters: map[string][]string{"scope": {scopeText(r.Scopes)}}, Client: d.proof}
	set := func(name, value string) {
		if value != "" {
			s.Parameters[name] = []string{value}
		}
	}
	if kind != shapes.Device {
		set("redirect_uri", r.Redirect)
		set("response_type", "code")
		set("response_mode", d.form.Get("response_mode"))
		set("prompt", strings.Join(r.Prompt.words(), " "))
		set("display", d.form.Get("display"))
		if r.Challenge != "" {
			set("code_challenge", fillerDigest)
			set("code_challenge_method", "S256")
		}
	}
	if d.signed {
		s.Object = &d.object
	}
	if d.form.Get("acr_values") != "" {
		set("acr_values", strings.Join(knownLevels(d.form.Get("acr_values")), " "))
	}
	if len(r.Resources) > 0 {
		s.Parameters["resource"] = r.Resources
	}
	set("claims", shapeOfClaims(r.Claims))
	set("authorization_details", shapeOfDetails(r.Details))
	return s
}

func knownLevels(text string) []string {
	return slices.DeleteFunc(strings.Fields(text), func(s string) bool { return acrRank[s] == 0 })
}

// shapeOfClaims keeps the names of claims that exist here, and which of them are essential.
func shapeOfClaims(c *claimsRequest) string {
	if c == nil {
		return ""
	}
	known := personalClaims()
	place := func(asks map[string]*claimAsk, verified *verifiedAsks) map[string]any {
		out := map[string]any{}
		for name, ask := range asks {
			if slices.Contains(known, name) || name == "acr" || name == "auth_time" {
				out[name] = ask.shape()
			}
		}
		if v := verified.shape(); len(v) > 0 {
			out[verifiedMember] = map[string]any{"verification": map[string]any{"trust_framework": nil}, "claims": v}
		}
		return out
	}
	out := map[string]any{}
	for name, asks := range map[string]map[string]any{"userinfo": place(c.Userinfo, c.VerifiedUserinfo), "id_token": place(c.IDToken, c.VerifiedIDToken)} {
		if len(asks) > 0 {
			out[name] = asks
		}
	}
	if len(out) == 0 {
		return ""
	}
	b, err := json.Marshal(out)
	if err != nil { // not reached: names and booleans
		return ""
	}
	return string(b)
}

func (a *claimAsk) shape() any {
	if a != nil && a.Essential {
		return map[string]bool{"essential": true}
	}
	return nil
}

func (r *verifiedAsks) shape() map[string]any {
	out := map[string]any{}
	if r == nil {
		return out
	}
	for _, name := range verifiedClaims() {
		for _, ask := range r.Asks {
			if one, there := ask.Claims[name]; there {
				out[name] = one.shape()
			}
		}
	}
	return out
}

// shapeOfDetails keeps types, actions and places. What is asked for of whom, and what for, is filled.
func shapeOfDetails(details json.RawMessage) string {
	var all []detail
	if len(details) == 0 || json.Unmarshal(details, &all) != nil {
		return ""
	}
	for i, d := range all {
		one := detail{Type: d.Type, Locations: d.Locations, Actions: slices.Sorted(slices.Values(d.Actions))}
		if d.Identifier != "" {
			one.Identifier = fillerWord
		}
		if len(d.DataTypes) > 0 {
			one.DataTypes = []string{fillerWord}
		}
		if d.Purpose != "" {
			one.Purpose = fillerWord
		}
		if d.Document != nil {
			one.Document = &ades.Document{Name: fillerWord, DigestAlg: ades.DigestAlg, Digest: fillerDigest, MediaType: "text/plain"}
		}
		all[i] = one
	}
	b, err := json.Marshal(all)
	if err != nil { // not reached: it was decoded just now
		return ""
	}
	return string(b)
}

// noteToken counts a token request that was answered.
func (p *Provider) noteToken(req tokenRequest, answer tokenAnswer) {
	if p.shapes == nil {
		return
	}
	grant := req.form.Get("grant_type")
	s := shapes.Shape{
		Kind: shapes.Token, Parameters: map[string][]string{"grant_type": {grant}}, Client: &req.proof,
		DPoP: req.jkt != "", Certificate: clientCertificate(req.http) != nil,
	}
	// These two grants are asked for again and again, with what was given once.
	if g := answer.g; g != nil && (grant == clients.GrantRefreshToken || grant == clients.GrantClientCredentials) {
		if grant == clients.GrantRefreshToken || req.form.Get("scope") != "" { // who asks for none gets what there is
			s.Parameters["scope"] = []string{scopeText(slices.Sorted(slices.Values(g.Scopes)))}
		}
		if len(g.Resources) > 0 {
			s.Parameters["resource"] = slices.Sorted(slices.Values(g.Resources))
		}
	}
	p.shapes.Note(req.client.ID(), s)
}
