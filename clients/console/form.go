package console

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// fieldID is the name of a field for a member: what stands in addresses (#…) and in tests.
func fieldID(member string) string {
	return strings.NewReplacer("#", "_", ".", "-", ":", "-").Replace(member)
}

// fill makes the form of a section from metadata, as a browser would send it back.
func (s *section) fill(kind adminapi.Kind, m metadata) url.Values {
	form := url.Values{}
	for _, in := range s.inputs {
		switch in.as {
		case asText, asChoice:
			form.Set(in.id(), m.text(in.member))
		case asLines:
			form.Set(in.id(), strings.Join(m.list(in.member), "\n"))
		case asNumber:
			form.Set(in.id(), m.number(in.member))
		case asFlag:
			if m.flag(in.member) {
				form.Set(in.id(), "yes")
			}
		case asKeys:
			if raw := m[in.member]; len(raw) > 0 {
				form.Set(in.id(), pretty(raw))
			}
		case asWhole:
			form.Set(in.id(), pretty(m.raw()))
		case asScopes:
			purposes := m.purposes()
			for _, scope := range scopesOf(kind) {
				if slices.Contains(m.scopes(), scope) {
					form.Add(in.id(), scope)
				}
				form.Set(purposeID(scope, ""), purposes[scope])
				form.Set(purposeID(scope, "#en"), purposes[scope+"#en"])
			}
		}
	}
	return form
}

func purposeID(scope, lang string) string { return fieldID("purposes." + scope + lang) }

// take writes what was typed into a section over metadata. What cannot be read is told as a fault of its field, and the member stays as it was.
func (s *section) take(kind adminapi.Kind, form url.Values, m metadata) (metadata, []adminapi.FieldError) {
	m = m.clone()
	var faults []adminapi.FieldError
	for _, in := range s.inputs {
		typed := strings.ToValidUTF8(strings.ReplaceAll(form.Get(in.id()), "\r\n", "\n"), "\ufffd")
		if in.code || in.as == asNumber {
			typed = narrow(typed)
		}
		switch in.as {
		case asText, asChoice:
			m.set(in.member, strings.TrimSpace(typed))
		case asLines:
			m.set(in.member, lines(typed))
		case asFlag:
			m.set(in.member, typed != "")
		case asNumber:
			typed = strings.TrimSpace(typed)
			switch {
			case typed == "":
				delete(m, in.member)
			case strings.Trim(typed, "0123456789") != "" || len(typed) > 9:
				faults = append(faults, adminapi.FieldError{Field: in.member, Problem: faultNumber, Remedy: remedyNumber})
			default:
				m[in.member] = json.RawMessage(strings.TrimLeft(typed[:len(typed)-1], "0") + typed[len(typed)-1:])
			}
		case asKeys:
			typed = strings.TrimSpace(typed)
			var object map[string]json.RawMessage
			switch {
			case typed == "":
				delete(m, in.member)
			case json.Unmarshal([]byte(typed), &object) != nil || object == nil:
				faults = append(faults, adminapi.FieldError{Field: in.member, Problem: faultJSON, Remedy: remedyJSON})
			default:
				m[in.member] = compact(typed)
			}
		case asScopes:
			takeScopes(kind, form, in, m)
		case asWhole:
			whole, err := parseMetadata(json.RawMessage(typed))
			if err != nil || repeats(typed) {
				return m, append(faults, adminapi.FieldError{Field: in.member, Problem: faultJSON, Remedy: remedyJSON})
			}
			m = whole
		}
	}
	return m, faults
}

// takeScopes keeps the scopes that the console does not offer, and has the grant of refresh tokens follow offline_access.
func takeScopes(kind adminapi.Kind, form url.Values, in input, m metadata) {
	offered, chosen, purposes := scopesOf(kind), []string{}, m.purposes()
	for _, scope := range offered {
		if scope == "openid" || slices.Contains(form[in.id()], scope) {
			chosen = append(chosen, scope)
		}
		for _, lang := range []string{"", "#en"} {
			if text := strings.TrimSpace(strings.ToValidUTF8(form.Get(purposeID(scope, lang)), "\ufffd")); text != "" && slices.Contains(chosen, scope) {
				purposes[scope+lang] = text
			} else {
				delete(purposes, scope+lang)
			}
		}
	}
	for _, scope := range m.scopes() {
		if !slices.Contains(offered, scope) {
			chosen = append(chosen, scope)
		}
	}
	m.set("scope", strings.Join(chosen, " "))
	m.set("purposes", purposes)
	if kind == adminapi.KindMachine {
		return
	}
	grants := slices.DeleteFunc(m.list("grant_types"), func(g string) bool { return g == "refresh_token" })
	if slices.Contains(chosen, "offline_access") {
		grants = append(grants, "refresh_token")
	}
	m.set("grant_types", grants)
}

// lines are the lines that are not empty.
func lines(typed string) []string {
	var out []string
	for line := range strings.Lines(typed) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func compact(typed string) json.RawMessage {
	var v json.RawMessage
	if json.Unmarshal([]byte(typed), &v) != nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
