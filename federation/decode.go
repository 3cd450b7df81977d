package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxBody is the largest document the API reads, in bytes; the ones it knows
// are under a hundred.
const maxBody = 4 << 10

// decode reads one JSON object into v: the right media type, no member twice,
// none unknown, nothing after it. What parses two ways is refused.
func decode(r *http.Request, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return malformed("the content type must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return malformed("the body could not be read")
	}
	if len(body) > maxBody {
		return malformed(fmt.Sprintf("the body must not exceed %d bytes", maxBody))
	}
	if err := flatObject(body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return malformed("unknown member or wrong type")
	}
	return nil
}

// flatObject accepts exactly one object of strings, without repeated members.
func flatObject(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return malformed("the body must be one JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return malformed("not JSON")
		}
		s, _ := name.(string)
		if seen[s] {
			return malformed("a member is given twice")
		}
		seen[s] = true
		value, err := d.Token()
		if _, ok := value.(string); err != nil || !ok {
			return malformed("every member must be a string")
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed("not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed("nothing may follow the object")
	}
	return nil
}

func malformed(detail string) error { return &Error{Reason: RequestMalformed, Detail: detail} }
