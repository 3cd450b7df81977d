package idp

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/clients"
)

// What verified claims say of how they were verified. The eKYC working group's list has no name for the law that the signature certificates
// rest on (the Act on electronic signature certification by local governments, 公的個人認証法), so the names are the hub's own.
const (
	trustFramework       = "urn:tsunagu:trust-framework:jpki"
	signatureType        = "urn:tsunagu:signature-type:jpki-sign"
	evidenceOfSignature  = "electronic_signature"
	claimSubstitutes     = "urn:tsunagu:claim:substitutes"
	verificationTimeForm = "2006-01-02T15:04:05Z"
)

// verifiedClaims are what a signature certificate states.
func verifiedClaims() []string { return []string{"name", "address", "birthdate", "gender"} }

// verifiedScope returns the scope whose consent hands a verified claim out; "" for any other claim.
func verifiedScope(claim string) string {
	switch claim {
	case "name":
		return clients.ScopeVerifiedName
	case "address":
		return clients.ScopeVerifiedAddress
	case "birthdate":
		return clients.ScopeVerifiedBirthdate
	case "gender":
		return clients.ScopeVerifiedGender
	}
	return ""
}

// claimOfVerifiedScope is the inverse; "" for any other scope.
func claimOfVerifiedScope(scope string) string {
	for _, claim := range verifiedClaims() {
		if verifiedScope(claim) == scope {
			return claim
		}
	}
	return ""
}

// verification is what can be told of how an attestation came to be.
type verification struct {
	*attestation
	issuer string
	now    time.Time
}

// verified answers a request for verified claims, or with nil. Nothing is given that was not asked for, agreed to, registered for, or that
// the certificate's authority does not stand by at this moment; what cannot be given is left out and is no error (OpenID Connect for
// Identity Assurance 1.0 §5.7).
func (p *Provider) verified(ctx context.Context, g *grant, asked *verifiedAsks) (any, error) {
	if asked == nil || g.Account == "" || g.Acting != nil {
		return nil, nil
	}
	c, err := p.client(ctx, g.Client)
	if err != nil {
		return nil, err
	}
	asked = asked.within(c.Scopes())
	if len(asked.scopes(false)) == 0 {
		return nil, nil
	}
	a, stands, err := p.attested(ctx, g.Account)
	if err != nil || stands != standingGood {
		return nil, err
	}
	h, err := cardauth.UnmarshalHandle(a.Handle)
	if err != nil {
		return nil, fmt.Errorf("attestation: %w", err)
	}
	v := verification{attestation: a, issuer: p.signing.IssuerName(h), now: p.now()}
	var out []any
	for _, ask := range asked.Asks {
		if one := v.answer(ask); one != nil {
			out = append(out, one)
		}
	}
	switch {
	case len(out) == 0:
		return nil, nil
	case asked.List:
		return out, nil
	}
	return out[0], nil
}

// answer is one element of verified claims; nil: what is asked for cannot be met.
func (v verification) answer(ask verifiedAsk) any {
	how, ok := v.how(ask)
	if !ok {
		return nil
	}
	all, claims := v.claims(), map[string]any{}
	for _, claim := range verifiedClaims() {
		value, known := all[claim]
		if want, there := ask.Claims[claim]; there && known && want.accepts(value) {
			claims[claim] = value
		}
	}
	if len(claims) == 0 {
		return nil
	}
	if want, there := ask.Claims[claimSubstitutes]; there {
		if told := v.substitutes(claims); len(told) > 0 && want.accepts(told) {
			claims[claimSubstitutes] = told
		}
	}
	return map[string]any{"verification": how, "claims": claims}
}

// substitutes says of the texts among the claims whether characters in them stand for ones that the authority could not encode. Where the
// certificate does not tell, neither does this.
func (v verification) substitutes(claims map[string]any) map[string]bool {
	out := map[string]bool{}
	for claim, flags := range map[string][]bool{"name": v.Holder.NameSubstitutes, "address": v.Holder.AddressSubstitutes} {
		if claims[claim] != nil && flags != nil {
			out[claim] = slices.Contains(flags, true)
		}
	}
	return out
}

// how is the verification element, with the members that were asked for.
func (v verification) how(ask verifiedAsk) (map[string]any, bool) {
	if ask.Impossible || !ask.Framework.accepts(trustFramework) || ask.Framework.MaxAge != nil {
		return nil, false
	}
	out := map[string]any{"trust_framework": trustFramework}
	if ask.Time != nil {
		at, ok := v.moment(ask.Time, v.Confirmed)
		if !ok {
			return nil, false
		}
		out["time"] = at
	}
	if len(ask.Evidence) == 0 {
		return out, true
	}
	evidence := map[string]any{}
	for _, e := range ask.Evidence {
		v.evidence(e, evidence)
	}
	if len(evidence) == 0 { // none of the kinds that would do
		return nil, false
	}
	out["evidence"] = []any{evidence}
	return out, true
}

// evidence adds what one filter asks for of the one piece of evidence there is, if it lets it through. The serial number of the certificate
// is never told: it is the same at every service.
func (v verification) evidence(ask evidenceAsk, to map[string]any) {
	if ask.Impossible || ask.Type != evidenceOfSignature {
		return
	}
	found := map[string]any{"type": evidenceOfSignature}
	for name, word := range map[string]struct {
		ask   *proofAsk
		value string
	}{"signature_type": {ask.SignatureType, signatureType}, "issuer": {ask.Issuer, v.issuer}} {
		if word.ask == nil {
			continue
		}
		if word.ask.MaxAge != nil || !word.ask.accepts(word.value) {
			return
		}
		if word.value != "" {
			found[name] = word.value
		}
	}
	if ask.Created != nil {
		at, ok := v.moment(ask.Created, v.Signed)
		if !ok {
			return
		}
		found["created_at"] = at
	}
	for name, value := range found {
		to[name] = value
	}
}

// moment is a time in UTC, which says nothing of where the citizen is.
func (v verification) moment(ask *proofAsk, seconds int64) (string, bool) {
	at := time.Unix(seconds, 0)
	text := at.UTC().Format(verificationTimeForm)
	if ask.MaxAge != nil && v.now.Sub(at) > time.Duration(*ask.MaxAge)*time.Second {
		return "", false
	}
	return text, ask.accepts(text)
}
