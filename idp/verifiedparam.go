package idp

import (
	"encoding/json"
	"maps"
	"slices"
)

// Bounds of a request for verified claims, beside those of the claims parameter. All answers together fit into an ID token that comes
// back as a hint (keys.MaxToken).
const (
	maxVerifiedAsks = 4
	maxEvidenceAsks = 8
	maxAskDepth     = 8
	maxAskedAge     = 1e10 // seconds
)

// verifiedMember is the claim by which verified claims are asked for and given.
const verifiedMember = "verified_claims"

// verifiedAsks is the member verified_claims of one place of the claims parameter (OpenID Connect for Identity Assurance 1.0 §5).
type verifiedAsks struct {
	List bool          `json:"l,omitempty"` // asked for as an array, and so answered
	Asks []verifiedAsk `json:"a"`
}

// verifiedAsk asks for claims that were verified in a certain way.
type verifiedAsk struct {
	Framework  proofAsk             `json:"f"`
	Time       *proofAsk            `json:"t,omitempty"`
	Evidence   []evidenceAsk        `json:"e,omitempty"`
	Impossible bool                 `json:"x,omitempty"` // it insists on something that is not known here
	Claims     map[string]*claimAsk `json:"c"`
}

// evidenceAsk is both a filter and the list of what is wanted of the evidence.
type evidenceAsk struct {
	Type          string    `json:"y"`
	SignatureType *proofAsk `json:"s,omitempty"`
	Issuer        *proofAsk `json:"i,omitempty"`
	Created       *proofAsk `json:"c,omitempty"`
	Impossible    bool      `json:"x,omitempty"`
}

// proofAsk asks for a member of the verification.
type proofAsk struct {
	claimAsk
	MaxAge *int64 `json:"max_age,omitempty"` // seconds
}

// parseVerified reads the member. What is not known is ignored, unless it restricts the answer: then nothing can meet it (§5.5.2).
func parseVerified(raw json.RawMessage) (*verifiedAsks, error) {
	list := []json.RawMessage{raw}
	out := &verifiedAsks{List: raw[0] == '['}
	if out.List {
		if json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > maxVerifiedAsks {
			return nil, errClaims
		}
	}
	for _, one := range list {
		ask, err := parseVerifiedAsk(one)
		if err != nil {
			return nil, err
		}
		out.Asks = append(out.Asks, ask)
	}
	return out, nil
}

func parseVerifiedAsk(raw json.RawMessage) (ask verifiedAsk, err error) {
	all, err := members(raw)
	if err != nil {
		return ask, errClaims
	}
	how, err := members(all["verification"])
	if err != nil {
		return ask, errClaims
	}
	if ask.Claims, err = parseClaimAsks(all["claims"]); err != nil {
		return ask, err
	}
	if len(ask.Claims) == 0 {
		return ask, errClaims
	}
	framework, err := parseProofAsk(how["trust_framework"])
	if err != nil || framework == nil {
		return ask, errClaims
	}
	ask.Framework = *framework
	if ask.Time, err = parseProofAsk(how["time"]); err != nil {
		return ask, err
	}
	if ask.Evidence, err = parseEvidence(how["evidence"]); err != nil {
		return ask, err
	}
	ask.Impossible, err = restrictsBeyond(how, "trust_framework", "time", "evidence")
	return ask, err
}

func parseEvidence(raw json.RawMessage) ([]evidenceAsk, error) {
	if len(raw) == 0 || isNull(raw) {
		return nil, nil
	}
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > maxEvidenceAsks {
		return nil, errClaims
	}
	out := make([]evidenceAsk, len(list))
	for i, one := range list {
		all, err := members(one)
		if err != nil {
			return nil, errClaims
		}
		kind, err := members(all["type"])
		if err != nil {
			return nil, errClaims
		}
		e := &out[i]
		var ok bool
		if e.Type, ok = stringOf(kind["value"]); !ok || len(kind["values"]) > 0 { // §5.4: the type is one value
			return nil, errClaims
		}
		for name, to := range map[string]**proofAsk{"signature_type": &e.SignatureType, "issuer": &e.Issuer, "created_at": &e.Created} {
			if *to, err = parseProofAsk(all[name]); err != nil {
				return nil, err
			}
		}
		if e.Impossible, err = restrictsBeyond(all, "type", "signature_type", "issuer", "created_at"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// parseProofAsk returns nil for a member that is not there.
func parseProofAsk(raw json.RawMessage) (*proofAsk, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	ask, err := parseAsk(raw)
	if err != nil {
		return nil, err
	}
	out := &proofAsk{claimAsk: *ask}
	if isNull(raw) {
		return out, nil
	}
	all, err := members(raw)
	if err != nil {
		return nil, errClaims
	}
	if age, there := all["max_age"]; there {
		var n int64
		if isNull(age) || json.Unmarshal(age, &n) != nil || n < 0 || n > maxAskedAge {
			return nil, errClaims
		}
		out.MaxAge = &n
	}
	return out, nil
}

// restrictsBeyond says whether a member that is none of the known ones restricts the answer, at any depth.
func restrictsBeyond(all map[string]json.RawMessage, known ...string) (bool, error) {
	beyond := false
	for name, raw := range all {
		if slices.Contains(known, name) {
			continue
		}
		var value any
		if json.Unmarshal(raw, &value) != nil {
			return false, errClaims
		}
		yes, ok := restricts(value, maxAskDepth)
		if !ok {
			return false, errClaims
		}
		beyond = beyond || yes
	}
	return beyond, nil
}

// restricts reports !ok for what is nested too deeply to be an honest request.
func restricts(value any, depth int) (yes, ok bool) {
	if depth == 0 {
		return false, false
	}
	look := func(v any) bool {
		inner, fine := restricts(v, depth-1)
		yes = yes || inner
		return fine
	}
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			yes = yes || name == "value" || name == "values" || name == "max_age"
			if !look(inner) {
				return false, false
			}
		}
	case []any:
		for _, inner := range v {
			if !look(inner) {
				return false, false
			}
		}
	}
	return yes, true
}

// count is the number of claims asked for.
func (r *verifiedAsks) count() (n int) {
	if r == nil {
		return 0
	}
	for _, ask := range r.Asks {
		n += len(ask.Claims)
	}
	return n
}

// scopes are those whose consent hands out what is asked for, in the order of verifiedClaims. Of essential only those asked for as such.
func (r *verifiedAsks) scopes(essential bool) []string {
	if r == nil {
		return nil
	}
	var out []string
	for _, claim := range verifiedClaims() {
		if slices.ContainsFunc(r.Asks, func(ask verifiedAsk) bool {
			a, there := ask.Claims[claim]
			return there && (!essential || a.Essential)
		}) {
			out = append(out, verifiedScope(claim))
		}
	}
	return out
}

// within leaves out the claims of scopes that are not among these.
func (r *verifiedAsks) within(scopes []string) *verifiedAsks {
	if r == nil {
		return nil
	}
	out := &verifiedAsks{List: r.List, Asks: slices.Clone(r.Asks)}
	for i, ask := range out.Asks {
		out.Asks[i].Claims = maps.Clone(ask.Claims)
		maps.DeleteFunc(out.Asks[i].Claims, func(claim string, _ *claimAsk) bool {
			scope := verifiedScope(claim)
			return scope != "" && !slices.Contains(scopes, scope)
		})
	}
	return out
}
