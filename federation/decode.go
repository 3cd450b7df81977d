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

// decode reads the document {"name":"value"} and returns the value: the right
// media type, exactly this member, spelled exactly so, and nothing after the
// object. What two parsers could read differently is refused.
func decode(r *http.Request, name string) (string, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return "", malformed("the content type must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return "", malformed("the body could not be read")
	}
	if len(body) > maxBody {
		return "", malformed(fmt.Sprintf("the body must not exceed %d bytes", maxBody))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	for _, want := range []json.Token{json.Delim('{'), name} {
		if t, err := d.Token(); err != nil || t != want {
			return "", malformed("the body must be one object with the member " + name)
		}
	}
	t, err := d.Token()
	value, ok := t.(string)
	if err != nil || !ok {
		return "", malformed(name + " must be a string")
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return "", malformed("the body must have no member but " + name)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", malformed("nothing may follow the object")
	}
	return value, nil
}

func malformed(detail string) error { return &Error{Reason: RequestMalformed, Detail: detail} }
