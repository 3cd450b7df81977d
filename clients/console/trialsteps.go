package console

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// trialStep is one step of a test sign-in, in words that were made when it was run.
type trialStep struct {
	Name    string // request, return, token, id_token, userinfo, end
	OK      bool
	Problem string // what went wrong
	Detail  string // as the hub said it, for developers
	Where   string // the settings' section that mends it: the part of the address behind /settings#
	Facts   []trialFact
}

// trialFact is a parameter or a claim, explained.
type trialFact struct{ Name, Value, Means string }

// maxShown is how much of a value is shown, in characters. Nobody needs more, and tokens and codes must not be read off a screen.
const (
	maxShown  = 200
	secretTip = 6
)

// step is one whose outcome is err.
func (v *visit) step(name string, err error) trialStep {
	s := trialStep{Name: name, OK: err == nil}
	if err == nil {
		return s
	}
	s.Problem = v.text("trial." + name + ".failed")
	e, ok := errors.AsType[*rp.Error](err)
	if !ok {
		s.Detail = cut(err.Error(), maxShown)
		return s
	}
	if e.Reason == rp.HubUnreachable {
		s.Problem = v.text("trial.unreachable")
	}
	if e.Reason == rp.AccessDenied {
		s.Problem = v.text("trial.denied")
	}
	s.Where = whereOf(e.Code)
	if key := "trial.code." + e.Code; e.Code != "" && v.console.web.Has(key) {
		s.Problem = v.text(key)
	}
	s.Detail = strings.TrimSpace(e.Code + " " + cut(e.Detail, maxShown))
	return s
}

// whereOf is the setting that an error code of the hub mostly comes of (RFC 6749 §4.1.2.1, §5.2; OpenID Connect Core §3.1.2.6).
func whereOf(code string) string {
	switch code {
	case "invalid_scope":
		return "scope"
	case "invalid_client", "unauthorized_client":
		return "token_endpoint_auth_method"
	case "invalid_grant", "unsupported_grant_type":
		return "grant_types"
	case "invalid_request", "invalid_request_object":
		return "profile"
	case "login_required", "interaction_required", "unmet_authentication_requirements":
		return "default_acr_values"
	}
	return ""
}

// fact explains a parameter or claim, by the message KIND.NAME where there is one.
func (v *visit) fact(kind, name, value string) trialFact {
	f := trialFact{Name: name, Value: cut(value, maxShown)}
	if key := kind + "." + name; v.console.web.Has(key) {
		f.Means = v.text(key)
	}
	return f
}

func (v *visit) stepRequest(a rp.Asked, err error) trialStep {
	s := v.step("request", err)
	for _, name := range sortedNames(a.Request, "client_id", "response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method") {
		value := a.Request.Get(name)
		if slices.Contains([]string{"state", "nonce", "code_challenge"}, name) {
			value = tip(value)
		}
		s.Facts = append(s.Facts, v.fact("param", name, value))
	}
	if a.Pushed {
		s.Facts = append(s.Facts, trialFact{Name: "PAR", Value: v.text("value.yes_sent"), Means: v.text("param.pushed")})
	}
	return s
}

func (v *visit) stepReturn(rawQuery string, err error) trialStep {
	s := v.step("return", err)
	q, bad := url.ParseQuery(rawQuery)
	if bad != nil {
		return s
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description"} {
		if !q.Has(name) {
			continue
		}
		value := q.Get(name)
		if name == "code" || name == "state" {
			value = tip(value)
		}
		s.Facts = append(s.Facts, v.fact("param", name, value))
	}
	return s
}

func (v *visit) stepToken(g rp.Given, err error) trialStep {
	s := v.step("token", err)
	if err != nil {
		return s
	}
	s.Facts = []trialFact{v.fact("param", "token_type", g.Type)}
	if g.Expires > 0 {
		s.Facts = append(s.Facts, v.fact("param", "expires_in", strconv.FormatInt(g.Expires, 10)))
	}
	if g.Scope != "" {
		s.Facts = append(s.Facts, v.fact("param", "scope", g.Scope))
	}
	word := "trial.refresh.no"
	if g.Refresh {
		word = "trial.refresh.yes"
	}
	s.Facts = append(s.Facts, v.fact("param", "refresh_token", v.text(word)))
	return s
}

func (v *visit) stepIDToken(t rp.IDToken, err error) trialStep {
	s := v.step("id_token", err)
	for _, part := range []struct {
		kind string
		raw  json.RawMessage
	}{{"header", t.Header}, {"claim", t.Claims}} {
		s.Facts = append(s.Facts, v.members(part.kind, part.raw)...)
	}
	return s
}

func (v *visit) stepUserInfo(said json.RawMessage, err error) trialStep {
	s := v.step("userinfo", err)
	s.Facts = v.members("claim", said)
	return s
}

// members are those of a JSON object, in its order of names.
func (v *visit) members(kind string, raw json.RawMessage) []trialFact {
	var all map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &all) != nil {
		return nil
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	var facts []trialFact
	for _, name := range names {
		value := string(all[name])
		var text string
		if json.Unmarshal(all[name], &text) == nil {
			value = text
		}
		var seconds int64
		if slices.Contains([]string{"exp", "iat", "nbf", "auth_time", "updated_at"}, name) && json.Unmarshal(all[name], &seconds) == nil {
			value += "（" + web.DateTime(v.lang(), time.Unix(seconds, 0)) + "）"
		}
		if slices.Contains([]string{"at_hash", "c_hash", "s_hash", "nonce", "sid", "jti"}, name) {
			value = tip(value)
		}
		facts = append(facts, v.fact(kind, name, value))
	}
	return facts
}

// cut shortens a value to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

// tip is the beginning of a value that is good for something only as a whole.
func tip(s string) string { return cut(s, secretTip) }
