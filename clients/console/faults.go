package console

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// The faults that the console finds itself, before the API could be asked, in the API's way of saying it.
const (
	faultNumber  = "is not a whole number"
	remedyNumber = "write digits only, or leave it out"
	faultJSON    = "is not one JSON object"
	remedyJSON   = "write one JSON object with each member once"
)

// The API says in English what is wrong with a field and what to do. faults.json has the Japanese for every such sentence: "*" stands for what
// varies, and {1}, {2} for what stood there.
//
//go:embed faults.json
var faultWords []byte

var faultTable = sync.OnceValues(func() (map[string]string, error) {
	all := map[string]string{}
	if err := json.Unmarshal(faultWords, &all); err != nil {
		return nil, fmt.Errorf("faults.json: %w", err)
	}
	return all, nil
})

// inJapanese is the sentence in Japanese, or false if it is one that nobody has translated.
func inJapanese(english string) (string, bool) {
	table, err := faultTable()
	if err != nil {
		return "", false
	}
	if text, ok := table[english]; ok {
		return text, true
	}
	best, said := "", ""
	for pattern, text := range table {
		found, ok := wild(pattern, english)
		if !ok || len(pattern) < len(best) || len(pattern) == len(best) && pattern < best { // the one that says most
			continue
		}
		for i, f := range found {
			text = strings.ReplaceAll(text, "{"+string(rune('1'+i))+"}", f)
		}
		best, said = pattern, text
	}
	return said, best != ""
}

// wild matches a pattern with "*" for what varies, and returns what stood there.
func wild(pattern, text string) ([]string, bool) {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return nil, pattern == text
	}
	rest, ok := strings.CutPrefix(text, pieces[0])
	if !ok {
		return nil, false
	}
	var found []string
	for i, piece := range pieces[1:] {
		if i == len(pieces)-2 && piece == "" {
			return append(found, rest), true
		}
		before, after, ok := strings.Cut(rest, piece)
		if !ok {
			return nil, false
		}
		found, rest = append(found, before), after
	}
	return found, rest == ""
}

// said is a fault as it stands at its field: the field by its name, the line if it is a list, what is wrong, and what to do.
func (v *visit) said(f adminapi.FieldError) string {
	member, line := indexed(f.Field)
	name := v.memberName(member)
	if line > 0 {
		name = v.text("fault.line", "field", name, "line", fmt.Sprint(line))
	}
	problem, remedy := f.Problem, f.Remedy
	if v.lang() == "ja" {
		ja, ok := inJapanese(problem)
		jaRemedy, also := inJapanese(remedy)
		if !ok || !also {
			return v.text("fault.plain", "field", name, "problem", problem, "remedy", remedy)
		}
		problem, remedy = ja, jaRemedy
	}
	return v.text("fault.whole", "field", name, "problem", problem, "remedy", remedy)
}

// memberName is how the console calls a member of the metadata.
func (v *visit) memberName(member string) string {
	if rest, ok := strings.CutPrefix(member, "purposes."); ok {
		scope, lang, _ := strings.Cut(rest, "#")
		name := scope
		if v.console.has("scope." + scope) {
			name = v.text("scope." + scope)
		}
		if lang != "" {
			return v.text("fault.purpose.en", "scope", name)
		}
		return v.text("fault.purpose", "scope", name)
	}
	if !v.console.has("m." + member) {
		return member
	}
	return v.text("m." + member)
}

// has reports whether there is a message.
func (o *Console) has(key string) bool { return o.web.Has(key) }

// summary are faults for the top of a page, each leading to its field.
func (v *visit) summary(faults []adminapi.FieldError) []web.FieldError {
	var out []web.FieldError
	for _, f := range faults {
		member, _ := indexed(f.Field)
		out = append(out, web.FieldError{Field: fieldID(member), Text: v.said(f)})
	}
	return out
}
