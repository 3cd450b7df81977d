package exchange

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// exchangeJSON is an exchange as a portal reads it. Times are RFC 3339 in UTC. A withheld one has id, time and ground only, one that
// waits for the provider id, time and outcome.
type exchangeJSON struct {
	ID        string     `json:"id"`
	Requested time.Time  `json:"requested_at"`
	Outcome   Outcome    `json:"outcome,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Provided  *time.Time `json:"provided_at,omitempty"`
	Requester *bodyJSON  `json:"requester,omitempty"`
	Provider  *bodyJSON  `json:"provider,omitempty"`
	Purpose   *codeJSON  `json:"purpose,omitempty"`
	Items     []codeJSON `json:"items,omitempty"`
	Law       string     `json:"law,omitempty"`
	Withheld  Ground     `json:"withheld,omitempty"`
}

type bodyJSON struct {
	Code govcode.Body `json:"body_code"`
	Name string       `json:"name"`
	EN   string       `json:"name#en,omitempty"`
}

type codeJSON struct {
	Code string `json:"code"`
	Name string `json:"name,omitempty"`
	EN   string `json:"name#en,omitempty"`
}

func jsonOf(v View) exchangeJSON {
	out := exchangeJSON{ID: v.ID, Requested: v.Requested.UTC(), Outcome: v.Outcome, Withheld: v.Ground}
	if !v.Open {
		return out
	}
	out.Reason, out.Law = v.Why, v.Law
	if v.Outcome == Provided {
		at := v.Answered.UTC()
		out.Provided = &at
	}
	out.Requester = &bodyJSON{v.Requester.Body, v.Requester.Name, v.Requester.EN}
	if v.Provider.Client != "" {
		out.Provider = &bodyJSON{v.Provider.Body, v.Provider.Name, v.Provider.EN}
	}
	out.Purpose = &codeJSON{v.Purpose.String(), v.PurposeName.JA, v.PurposeName.EN}
	out.Items = []codeJSON{{v.Item.String(), v.ItemName.JA, v.ItemName.EN}}
	return out
}

// parseFilter reads the query of a list: known names, each once at most.
func parseFilter(raw string) (Filter, error) {
	var f Filter
	q, err := url.ParseQuery(raw)
	if err != nil || len(raw) > 1000 {
		return f, malformed("the query cannot be read")
	}
	for name, values := range q {
		if len(values) != 1 {
			return f, malformed("a parameter stands twice")
		}
		value := values[0]
		if value == "" {
			continue
		}
		switch name {
		case "from":
			f.From, err = ParseDate(value)
		case "to":
			if f.Until, err = ParseDate(value); err == nil {
				f.Until = f.Until.AddDate(0, 0, 1)
			}
		case "body":
			f.Body, err = govcode.ParseBody(value)
		case "item":
			f.Item, err = govcode.ParseItem(value)
		case "after":
			f.After, err = ParseCursor(value)
		case "limit":
			f.Limit, err = strconv.Atoi(value)
			if err == nil && (f.Limit < 1 || f.Limit > MaxPage) {
				err = malformed("limit must be 1 to 100")
			}
		default:
			return f, malformed("a parameter is unknown: from, to, body, item, after and limit are not")
		}
		if err != nil {
			return f, malformed(name + " is not what it should be")
		}
	}
	return f, nil
}

// maxBody is the largest body of what an office says, in bytes.
const maxBody = 1 << 10

// readConfirmation reads {"result": …, "nondisclosure": …}: both members, each once, and no other.
func readConfirmation(r *http.Request) (Confirmation, error) {
	body, err := readBody(r)
	if err != nil {
		return Confirmation{}, err
	}
	return parseConfirmation(body)
}

func readBody(r *http.Request) ([]byte, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, malformed("the content type must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return nil, malformed("the body could not be read, or exceeds 1 KiB")
	}
	return body, nil
}

func parseConfirmation(body []byte) (Confirmation, error) {
	o, err := members(body)
	if err != nil {
		return Confirmation{}, err
	}
	var word string
	if len(o) != 2 || bytes.Equal(o["result"], []byte("null")) || json.Unmarshal(o["result"], &word) != nil || o["nondisclosure"] == nil {
		return Confirmation{}, malformed("the body must have result and nondisclosure")
	}
	n, err := strconv.Atoi(string(o["nondisclosure"]))
	if err != nil {
		return Confirmation{}, malformed("nondisclosure must be 0, 1 or 2")
	}
	ground, err := ParseGround(n)
	if err != nil {
		return Confirmation{}, err
	}
	switch word {
	case "provided":
		return Confirmation{Provided, ground}, nil
	case "none":
		return Confirmation{Nothing, ground}, nil
	case "refused":
		return Confirmation{Declined, ground}, nil
	}
	return Confirmation{}, malformed("result must be provided, none or refused")
}

// readProtection reads {"sub": …, "nondisclosure": …, "until": …}; until, the last day, stands there unless nondisclosure is 0.
func readProtection(r *http.Request) (sub string, p Protection, err error) {
	body, err := readBody(r)
	if err != nil {
		return "", p, err
	}
	return parseProtection(body)
}

func parseProtection(body []byte) (sub string, p Protection, err error) {
	o, err := members(body)
	if err != nil {
		return "", p, err
	}
	if json.Unmarshal(o["sub"], &sub) != nil || sub == "" {
		return "", p, malformed("sub is missing")
	}
	n, err := strconv.Atoi(string(o["nondisclosure"]))
	if err != nil {
		return "", p, malformed("nondisclosure must be 0, 1 or 2")
	}
	if p.Ground, err = ParseGround(n); err != nil {
		return "", p, err
	}
	if p.Ground == Disclosed {
		if len(o) != 2 {
			return "", p, malformed("the body must have sub and nondisclosure, as it ends a protection")
		}
		return sub, p, nil
	}
	var day string
	if len(o) != 3 || json.Unmarshal(o["until"], &day) != nil {
		return "", p, malformed("the body must have sub, nondisclosure and until")
	}
	if p.Until, err = ParseDate(day); err != nil {
		return "", p, malformed("until is the last day, YYYY-MM-DD")
	}
	p.Until = p.Until.AddDate(0, 0, 1)
	return sub, p, nil
}

type provisionJSON struct {
	ID       string     `json:"id"`
	Result   string     `json:"result"`
	Ground   Ground     `json:"nondisclosure"`
	Provided *time.Time `json:"provided_at,omitempty"`
	Late     bool       `json:"late"`
}

func provisionOf(p Provision) provisionJSON {
	out := provisionJSON{ID: p.ID, Result: string(p.Outcome), Ground: p.Ground, Late: p.Late}
	if p.Outcome == Declined {
		out.Result = "refused"
	}
	if p.Outcome == Provided {
		at := p.At.UTC()
		out.Provided = &at
	}
	return out
}
