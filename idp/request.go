package idp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// authzRequest is an authorization request that passed every check: all of it may be acted on.
type authzRequest struct {
	Grant     string     `json:"g"` // the grant this request may become, fixed before anybody logs in
	Client    clients.ID `json:"c"`
	Redirect  string     `json:"u"` // one of the client's registered URIs, byte for byte
	State     string     `json:"st,omitempty"`
	Scopes    []string   `json:"sc"`
	Nonce     string     `json:"n,omitempty"`
	Challenge string     `json:"ch,omitempty"` // PKCE, S256
	Prompt    promptSet  `json:"pr,omitempty"`
	MaxAge    *int64     `json:"ma,omitempty"` // seconds
	ACR       []string   `json:"ac,omitempty"`
	Locales   string     `json:"ul,omitempty"`
	HintSub   string     `json:"hs,omitempty"` // subject of a verified id_token_hint, or the one the claims parameter asks for
	Pushed    bool       `json:"pu,omitempty"` // came through the PAR endpoint
	JKT       string     `json:"jk,omitempty"` // dpop_jkt (RFC 9449 §10), or the key of the proof that came with the push

	Mode         responseMode    `json:"rm,omitempty"`
	ACREssential bool            `json:"ae,omitempty"` // one of ACR must be met, or the login fails (OIDC Core §5.5.1.1)
	Claims       *claimsRequest  `json:"cl,omitempty"`
	Resources    []string        `json:"rs,omitempty"` // RFC 8707 §2
	Details      json.RawMessage `json:"ad,omitempty"` // authorization_details, checked and encoded again (RFC 9396 §2)
}

func (r *authzRequest) maxAge() *time.Duration {
	if r.MaxAge == nil {
		return nil
	}
	d := time.Duration(*r.MaxAge) * time.Second
	return &d
}

// promptSet is the parsed prompt parameter (OIDC Core §3.1.2.1).
type promptSet uint8

const (
	promptNone promptSet = 1 << iota
	promptLogin
	promptConsent
	promptSelectAccount
)

func (p promptSet) has(q promptSet) bool { return p&q != 0 }

// words are the values in it.
func (p promptSet) words() []string {
	var out []string
	for _, w := range []struct {
		bit  promptSet
		word string
	}{{promptNone, "none"}, {promptLogin, "login"}, {promptConsent, "consent"}, {promptSelectAccount, "select_account"}} {
		if p.has(w.bit) {
			out = append(out, w.word)
		}
	}
	return out
}

func parsePrompt(s string) (promptSet, error) {
	var p promptSet
	for word := range strings.FieldsSeq(s) {
		switch word {
		case "none":
			p |= promptNone
		case "login":
			p |= promptLogin
		case "consent":
			p |= promptConsent
		case "select_account":
			p |= promptSelectAccount
		default:
			return 0, fmt.Errorf("unknown prompt value")
		}
	}
	if p.has(promptNone) && p != promptNone {
		return 0, fmt.Errorf("prompt none cannot be combined with other values")
	}
	return p, nil
}

// Bounds of an incoming OAuth form. The longest parameter anybody needs is an id_token_hint.
const (
	maxFormBytes  = 64 << 10
	maxParameters = 64
	maxParameter  = 16 << 10
	maxState      = 2048
	maxNonce      = 1024
	maxScopes     = 32
	maxACRValues  = 16
	maxLocales    = 200
)

// formTooLong is the one problem of a form with a status of its own (RFC 9126 §2.3).
const formTooLong = "body too long"

// errForm is a form that cannot be read as OAuth parameters.
type errForm struct{ problem, parameter string }

func (e *errForm) Error() string { return e.problem + ": " + e.parameter }

// readForm returns the parameters of an OAuth request. For POST only the body counts: credentials and codes do not belong into a
// URL. A parameter given twice is an error (RFC 6749 §3.1); empty ones count as absent.
func readForm(r *http.Request) (url.Values, error) {
	var raw string
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		raw = r.URL.RawQuery
		if len(raw) > maxFormBytes {
			return nil, &errForm{"query too long", ""}
		}
	case http.MethodPost:
		ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		if !strings.EqualFold(strings.TrimSpace(ct), "application/x-www-form-urlencoded") {
			return nil, &errForm{"content type must be application/x-www-form-urlencoded", ""}
		}
		b, err := io.ReadAll(io.LimitReader(r.Body, maxFormBytes+1))
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) || len(b) > maxFormBytes {
			return nil, &errForm{formTooLong, ""}
		}
		if err != nil {
			return nil, &errForm{"body broken", ""}
		}
		raw = string(b)
	default:
		return nil, &errForm{"method not allowed", ""}
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &errForm{"parameters malformed", ""}
	}
	if len(form) > maxParameters {
		return nil, &errForm{"too many parameters", ""}
	}
	return form, checkValues(form)
}

// mayRepeat lists the parameters that RFC 8707 §2 and RFC 8693 §2.1 allow several times.
var mayRepeat = []string{"resource", "audience"}

func checkValues(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 && !slices.Contains(mayRepeat, name) {
			return &errForm{"parameter repeated", printable(name)}
		}
		for _, v := range values {
			if len(v) > maxParameter {
				return &errForm{"parameter too long", printable(name)}
			}
		}
		// RFC 6749 §3.1: sent without a value is not sent.
		if form[name] = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(form[name]) == 0 {
			delete(form, name)
		}
	}
	return nil
}

// printable keeps a name that may be quoted in an error_description (RFC 6749 §5.2) and drops any other.
func printable(name string) string {
	if len(name) > 40 {
		return ""
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return ""
		}
	}
	return name
}
