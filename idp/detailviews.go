package idp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// detailView is one element of authorization_details in the citizen's words.
type detailView struct {
	Type  string
	Title string
	Facts []web.Description
}

// detailText is what the audit log keeps of authorization details: which types, and which procedures.
func detailText(raw json.RawMessage) string {
	var details []detail
	if json.Unmarshal(raw, &details) != nil {
		return "unreadable" // not reached: we encoded it
	}
	words := make([]string, len(details))
	for i, d := range details {
		words[i] = strings.TrimSuffix(d.Type+":"+d.Identifier, ":")
	}
	return strings.Join(words, " ")
}

// detailViews says what a service asks to be allowed in detail (RFC 9396 §11.1). Every member that an element has is on the page.
func (p *Provider) detailViews(r *http.Request, raw json.RawMessage, service string) ([]detailView, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var details []detail
	if err := json.Unmarshal(raw, &details); err != nil {
		return nil, fmt.Errorf("decode authorization details: %w", err)
	}
	say := func(key string) string { return p.site.Text(r, key, "service", service) }
	out := make([]detailView, len(details))
	for i, d := range details {
		v := detailView{Type: d.Type, Title: p.site.Text(r, "detail."+d.Type, "identifier", d.Identifier)}
		list := func(key string, values []string) {
			if len(values) > 0 {
				v.Facts = append(v.Facts, web.Description{Term: say(key), Values: values})
			}
		}
		var actions []string
		for _, a := range d.Actions {
			actions = append(actions, say("detail.action."+a))
		}
		list("detail.actions", actions)
		list("detail.datatypes", d.DataTypes)
		if d.Purpose != "" {
			list("detail.purpose", []string{d.Purpose})
		}
		list("detail.locations", d.Locations)
		if d.Document != nil {
			v.Facts = append(v.Facts, p.documentFacts(r, d.Document)...)
		}
		out[i] = v
	}
	return out, nil
}
