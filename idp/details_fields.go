package idp

import (
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// detailsView is the data of details.html.
type detailsView struct {
	Done     string // "", "saved", "deleted" or "draft"
	Owner    string // whose form this is, see ownerMark
	Any      bool   // there is something to delete
	Confirms bool   // the card can confirm a name and an address
	Problems []web.FieldError
	Groups   []detailGroup
}

// detailGroup is a part of the form.
type detailGroup struct {
	Name   string
	Fields []detailField
}

// detailGroups are the parts in their order, and the scopes whose items each has.
func detailGroups() []struct {
	name   string
	scopes []string
} {
	return []struct {
		name   string
		scopes []string
	}{
		{"contact", []string{clients.ScopeEmail, clients.ScopePhone}},
		{"address", []string{clients.ScopeAddress}},
		{"profile", []string{clients.ScopeProfile}},
	}
}

// detailField is one of the two.
type detailField struct {
	Field  web.Field
	Select web.Select
}

// look is how a field helps its writer: what the browser may fill in (HTML §4.10.18.7, WCAG 1.3.5), which keyboard a phone shows, and
// whether there is a hint.
type look struct {
	autocomplete, inputmode string
	hint                    bool
}

func lookOf(name attribute) look {
	switch name {
	case attrName:
		return look{autocomplete: "name"}
	case attrFamilyName:
		return look{autocomplete: "family-name"}
	case attrGivenName:
		return look{autocomplete: "given-name"}
	case attrMiddleName:
		return look{autocomplete: "additional-name", hint: true}
	case attrNickname:
		return look{autocomplete: "nickname"}
	case attrUsername:
		return look{hint: true}
	case attrGender:
		return look{}
	case attrBirthdate:
		return look{autocomplete: "bday", hint: true}
	case attrZone:
		return look{hint: true}
	case attrLocale:
		return look{autocomplete: "language", hint: true}
	case attrProfile:
		return look{inputmode: "url", hint: true}
	case attrPicture:
		return look{autocomplete: "photo", inputmode: "url", hint: true}
	case attrWebsite:
		return look{autocomplete: "url", inputmode: "url", hint: true}
	case attrEmail:
		return look{autocomplete: "email", inputmode: "email"}
	case attrPhone:
		return look{autocomplete: "tel", inputmode: "tel", hint: true}
	case attrPostalCode:
		return look{autocomplete: "postal-code", hint: true}
	case attrRegion:
		return look{autocomplete: "address-level1"}
	case attrLocality:
		return look{autocomplete: "address-level2"}
	case attrStreet:
		return look{autocomplete: "address-line1", hint: true}
	case attrCountry:
		return look{autocomplete: "country-name", hint: true}
	}
	return look{}
}

// detailsForm is the form with what was written in it, and at each field what is wrong with it.
func (p *Provider) detailsForm(c echo.Context, written map[attribute]string, problems map[attribute]problem) detailsView {
	var v detailsView
	for _, part := range detailGroups() {
		g := detailGroup{Name: part.name}
		for _, r := range attributeRules() {
			if slices.Contains(part.scopes, r.scope) {
				f, wrong := p.detailField(c, r.name, written[r.name], problems[r.name])
				g.Fields = append(g.Fields, f)
				v.Problems = append(v.Problems, wrong...)
			}
		}
		v.Groups = append(v.Groups, g)
	}
	return v
}

func (p *Provider) detailField(c echo.Context, name attribute, written string, wrong problem) (f detailField, told []web.FieldError) {
	text := func(key string, args ...string) string { return p.site.Text(c.Request(), key, args...) }
	id, look := fieldOf(name), lookOf(name)
	label, hint, fault := text("details."+id), "", ""
	if look.hint {
		hint = text("details." + id + ".hint")
	}
	if wrong != "" {
		fault = text("details.problem."+string(wrong), "field", label)
		told = append(told, web.FieldError{Field: id, Text: fault})
	}
	if name != attrGender {
		f.Field = web.Field{ID: id, Label: label, Hint: hint, Error: fault, Value: written, Autocomplete: look.autocomplete, Inputmode: look.inputmode}
		return f, told
	}
	f.Select = web.Select{ID: id, Label: label, Hint: hint, Error: fault}
	for _, value := range append([]string{""}, genders()...) {
		f.Select.Options = append(f.Select.Options, web.Option{Value: value, Label: text("details.gender." + orNone(value)), Selected: value == written})
	}
	return f, told
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// detailsShown are the values that a consent hands out, for the page that asks for it.
func (p *Provider) detailsShown(c echo.Context, s *session, scope string) ([]web.Description, error) {
	said, err := p.attributes.of(c.Request().Context(), s.Account)
	if err != nil {
		return nil, err
	}
	var out []web.Description
	for _, r := range attributeRules() {
		value := said.values[r.name]
		if r.scope != scope || value == "" {
			continue
		}
		if r.name == attrGender {
			value = p.site.Text(c.Request(), "details.gender."+value)
		}
		out = append(out, web.Description{Term: p.site.Text(c.Request(), "details."+fieldOf(r.name)), Value: value})
	}
	return out, nil
}
