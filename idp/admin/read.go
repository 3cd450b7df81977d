package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/openapi"
)

// maxBody bounds a JSON body, in bytes: the largest metadata with all that may stand around it.
const maxBody = 128 << 10

// upload is a body that is a file: of one of the media types of the field's tag `accept`, with at most as many bytes as its tag `most`.
type upload struct{ bytes []byte }

// input is how an operation's Input is read.
type input struct {
	fields []field
	body   *body
}

// field is a parameter of the path or the query.
type field struct {
	index    int
	name, in string
	required bool
	schema   *openapi.Schema
}

// body is what is sent.
type body struct {
	index  int
	name   string // of an upload, where a refusal names its field
	max    int64
	accept []string        // media types
	schema *openapi.Schema // nil: an upload
}

// inputOf reads the tags.
func (a *API) inputOf(t reflect.Type) (in input) {
	for i := range t.NumField() {
		f := t.Field(i)
		path, query := f.Tag.Get("path"), f.Tag.Get("query")
		switch {
		case path != "" || query != "":
			p := field{index: i, name: path + query, in: "query", required: path != "" || f.Tag.Get("required") == "true", schema: a.schemas.OfField(f)}
			if path != "" {
				p.in = "path"
			}
			in.fields = append(in.fields, p)
		case f.Type == reflect.TypeFor[upload]():
			in.body = &body{index: i, name: strings.ToLower(f.Name), max: openapi.Number(f, "most"), accept: strings.Split(f.Tag.Get("accept"), ",")}
		default:
			in.body = &body{index: i, max: maxBody, accept: []string{"application/json"}, schema: a.schemas.Of(f.Type)}
		}
	}
	return in
}

// read fills an Input from a request, or refuses it with every fault there is.
func (a *API) read(w http.ResponseWriter, r *http.Request, in input, into reflect.Value) error {
	faults, err := a.readFields(r, in, into)
	if err != nil {
		return err
	}
	if in.body != nil {
		more, err := a.readBody(w, r, *in.body, into.Field(in.body.index))
		if err != nil {
			return err
		}
		faults = append(faults, more...)
	}
	return invalid(faults)
}

// readFields fills the parameters. One that is not known is refused: a filter that was misspelt must not look as if it had been applied.
func (a *API) readFields(r *http.Request, in input, into reflect.Value) (faults []openapi.Fault, _ error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(adminapi.Malformed, "The query of the address cannot be read.")
	}
	for name, values := range query {
		if !slices.ContainsFunc(in.fields, func(f field) bool { return f.in == "query" && f.name == name }) {
			faults = append(faults, openapi.Fault{Field: openapi.Printable(name), Problem: "is not a parameter of this operation", Remedy: "leave it out"})
		} else if len(values) > 1 {
			faults = append(faults, openapi.Fault{Field: name, Problem: "is given twice", Remedy: "give it once"})
		}
	}
	for _, f := range in.fields {
		text, there := r.PathValue(f.name), true
		if f.in == "query" {
			text, there = query.Get(f.name), query.Has(f.name)
		}
		switch {
		case !there && f.required:
			faults = append(faults, openapi.Fault{Field: f.name, Problem: "is missing", Remedy: "give it"})
		case there:
			faults = append(faults, a.setField(f, text, into.Field(f.index))...)
		}
	}
	return faults, nil
}

// setField holds a parameter to its schema and stores it.
func (a *API) setField(f field, text string, into reflect.Value) []openapi.Fault {
	var v any = text
	if f.schema.Type == "integer" {
		v = json.Number(text)
	}
	if !openapi.Plain(text) {
		return []openapi.Fault{{Field: f.name, Problem: "is not plain text", Remedy: "write UTF-8 without control characters"}}
	}
	if faults := a.schemas.Check(f.schema, f.name, v); faults != nil {
		return faults
	}
	switch into.Interface().(type) {
	case time.Time:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return []openapi.Fault{{Field: f.name, Problem: "is not a time", Remedy: "write it as 2006-01-02T15:04:05Z"}}
		}
		into.Set(reflect.ValueOf(t))
	case int64, int:
		n, err := json.Number(text).Int64()
		if err != nil {
			return []openapi.Fault{{Field: f.name, Problem: "is not a whole number", Remedy: "write digits alone"}}
		}
		into.SetInt(n)
	default:
		into.SetString(text)
	}
	return nil
}

// readBody reads a body of one of the right types, no longer than it may be.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, b body, into reflect.Value) ([]openapi.Fault, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(b.accept, kind) {
		return nil, b.refuse(adminapi.WrongType, "is not "+strings.Join(b.accept, " or "), "send one of these, and say which in Content-Type")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.max))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, b.refuse(adminapi.TooLarge, fmt.Sprintf("is larger than %d bytes", b.max), "make it smaller")
	}
	if err != nil {
		return nil, refuse(adminapi.Malformed, "The body ended too early.")
	}
	if b.schema == nil {
		into.Set(reflect.ValueOf(upload{raw}))
		return nil, nil
	}
	v, err := openapi.Decode(raw)
	if err != nil {
		return nil, refuse(adminapi.Malformed, upper(err.Error())+".")
	}
	if faults := a.schemas.Check(b.schema, "", v); faults != nil {
		return faults, nil
	}
	if err := json.Unmarshal(raw, into.Addr().Interface()); err != nil {
		return nil, refuse(adminapi.Malformed, "The body cannot be read.")
	}
	return nil, nil
}

// refuse says what is wrong with the body as a whole; of a file also as the fault of its field.
func (b body) refuse(reason adminapi.Reason, problem, remedy string) error {
	e := refuse(reason, "The body "+problem+": "+remedy+".")
	if b.name != "" {
		e.Errors = []adminapi.FieldError{{Field: b.name, Problem: problem, Remedy: remedy}}
	}
	return e
}

// upper makes a sentence of an error.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
