package shapes

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

// Kind says what sort of request has the shape.
type Kind string

// The kinds.
const (
	Authorization Kind = "authorization" // by the browser
	Pushed        Kind = "pushed"        // RFC 9126
	Device        Kind = "device"        // RFC 8628
	Token         Kind = "token"
	SignOut       Kind = "sign_out"  // with an address to go back to
	SignedIn      Kind = "signed_in" // no request: a person was let in; has no parameters
	Refused       Kind = "refused"   // any that was refused; has a reason and nothing else
	Beyond        Kind = "beyond"    // there were too many shapes; has nothing
)

// judged says whether the shape is of a request that a registration decides about.
func (k Kind) judged() bool {
	switch k {
	case Authorization, Pushed, Device, Token, SignOut:
		return true
	case SignedIn, Refused, Beyond:
	}
	return false
}

// Shape is what a request looked like. Its parameters are spelled as in the request; what must be there for the request to be one, and is no
// business of this package, stands as a filler.
type Shape struct {
	Kind       Kind                `json:"kind"`
	Parameters map[string][]string `json:"parameters,omitempty"`
	// Client is by what the client was believed.
	Client *clients.Proof `json:"client,omitempty"`
	// Object is by what a request object was; nil: there was none.
	Object *clients.Proof `json:"request_object,omitempty"`
	// DPoP says that a proof of possession came with it (RFC 9449), Certificate that the client showed one (RFC 8705 §3).
	DPoP        bool   `json:"dpop,omitempty"`
	Certificate bool   `json:"tls_certificate,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// proved says whether nobody but the client can cause the shape. Anybody can push what a client without credentials could.
func (s Shape) proved() bool {
	switch s.Kind {
	case Pushed, Device:
		return s.Client != nil && s.Client.Method != "" && s.Client.Method != clients.None
	case Token, SignedIn:
		return true
	case Authorization, SignOut, Refused, Beyond:
	}
	return false
}

// Example returns the shape for people to read: without the certificate, which is long and which the service knows.
func (s Shape) Example() (json.RawMessage, error) {
	if s.Client != nil && s.Client.Certificate != nil {
		without := *s.Client
		without.Certificate = nil
		s.Client = &without
	}
	return json.Marshal(s)
}

// Counted is a shape and how many requests had it.
type Counted struct {
	Shape Shape
	Count int64
}

// Day is what is known of the last day of a client.
type Day struct {
	Since time.Time // the beginning of the first hour
	// Shapes has each shape once, the most frequent first.
	Shapes []Counted
}

// Requests counts the requests that a registration decided about and let pass, and those of them whose shape was not kept.
func (d Day) Requests() (all, beyond int64) {
	for _, s := range d.Shapes {
		if s.Shape.Kind.judged() {
			all += s.Count
		}
		if s.Shape.Kind == Beyond {
			all, beyond = all+s.Count, beyond+s.Count
		}
	}
	return all, beyond
}

// Refused counts what was refused, by reason.
func (d Day) Refused() map[string]int64 {
	out := map[string]int64{}
	for _, s := range d.Shapes {
		if s.Shape.Kind == Refused {
			out[s.Shape.Reason] += s.Count
		}
	}
	return out
}

// Count counts the shapes of a kind.
func (d Day) Count(k Kind) (n int64) {
	for _, s := range d.Shapes {
		if s.Shape.Kind == k {
			n += s.Count
		}
	}
	return n
}

func decode(text string) (Shape, error) {
	var s Shape
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("decode shape: %w", err)
	}
	return s, nil
}
