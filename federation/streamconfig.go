package federation

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
)

// Bounds of what a receiver may say.
const (
	maxStreamBody  = 16 << 10
	maxEventTypes  = 50
	maxDescription = 255
	maxHeader      = 2048
	maxStreamID    = 64
	maxEndpoint    = 2048
)

// deliveryConfig is the member delivery of a stream configuration (SSF 1.0 §6.1).
type deliveryConfig struct {
	Method     string `json:"method"`
	Endpoint   string `json:"endpoint_url"`
	credential string // authorization_header; never shown
}

// streamRequest is what a receiver says of its stream: nil is not said.
type streamRequest struct {
	StreamID    string
	Delivery    *deliveryConfig
	Requested   []EventType
	Description *string

	said members
}

// decodeStream reads a stream configuration (SSF 1.0 §8.1.1). Members that are not known are left alone.
func decodeStream(d members) (streamRequest, error) {
	out := streamRequest{said: d}
	var err error
	if out.StreamID, err = d.text("stream_id", maxStreamID); err != nil {
		return out, err
	}
	if _, ok := d["description"]; ok {
		text, err := d.text("description", maxDescription)
		if err != nil {
			return out, err
		}
		out.Description = &text
	}
	asked, err := d.texts("events_requested", maxEventTypes)
	if err != nil {
		return out, err
	}
	if asked != nil {
		out.Requested = []EventType{}
	}
	for _, one := range asked {
		if one == "" || strings.ContainsAny(one, " \t") {
			return out, malformed("events_requested must hold URIs")
		}
		out.Requested = append(out.Requested, EventType(one))
	}
	delivery, err := d.object("delivery")
	if err != nil || delivery == nil {
		return out, err
	}
	out.Delivery, err = decodeDelivery(delivery)
	return out, err
}

func decodeDelivery(d members) (*deliveryConfig, error) {
	var out deliveryConfig
	var err error
	if out.Method, err = d.required("method", 64); err != nil {
		return nil, err
	}
	if out.Method != methodPush && out.Method != methodPoll {
		return nil, malformed("delivery.method must be " + methodPush + " or " + methodPoll)
	}
	if out.Endpoint, err = d.text("endpoint_url", maxEndpoint); err != nil {
		return nil, err
	}
	if out.credential, err = d.text("authorization_header", maxHeader); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(out.credential, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, malformed("delivery.authorization_header must be visible ASCII")
	}
	if out.Method == methodPush && out.Endpoint == "" {
		return nil, malformed("delivery.endpoint_url is missing")
	}
	if out.Method == methodPoll && out.credential != "" {
		return nil, malformed("delivery.authorization_header is for push")
	}
	return &out, nil
}

// streamConfig is a stream as its receiver sees it (SSF 1.0 §8.1.1). The receiver's authorization header is never shown.
type streamConfig struct {
	StreamID    string         `json:"stream_id"`
	Issuer      string         `json:"iss"`
	Audience    string         `json:"aud"`
	Supported   []EventType    `json:"events_supported"`
	Requested   []EventType    `json:"events_requested"`
	Delivered   []EventType    `json:"events_delivered"`
	Delivery    deliveryConfig `json:"delivery"`
	Interval    int64          `json:"min_verification_interval"` // seconds
	Inactivity  int64          `json:"inactivity_timeout"`        // seconds
	Description string         `json:"description,omitempty"`
}

// supportedFor are the event types that a client may have.
func supportedFor(c *clients.Client) []EventType {
	return eventTypes(slices.Contains(c.Scopes(), ScopeLink))
}

func (s *Signals) pollAddress(id string) string { return s.d.Issuer + pathPoll + "/" + id }

func (s *Signals) config(c *clients.Client, st stream) streamConfig {
	supported := supportedFor(c)
	out := streamConfig{
		StreamID: st.ID, Issuer: s.d.Issuer, Audience: string(st.Client), Supported: supported, Requested: st.Requested, Delivered: within(supported, st.Requested),
		Delivery: deliveryConfig{Method: st.Method, Endpoint: st.Endpoint},
		Interval: int64(verifyEvery.Seconds()), Inactivity: int64(inactivity.Seconds()), Description: st.Description,
	}
	if st.Method == methodPoll {
		out.Delivery.Endpoint = s.pollAddress(st.ID)
	}
	return out
}

// apply makes what a receiver says of a stream so. whole: what it does not say is taken back (SSF 1.0 §8.1.1.4).
func (s *Signals) apply(c *clients.Client, st stream, req streamRequest, whole bool) (stream, error) {
	if req.Requested != nil {
		st.Requested = req.Requested
	} else if whole {
		st.Requested = supportedFor(c)
	}
	if req.Description != nil {
		st.Description = *req.Description
	} else if whole {
		st.Description = ""
	}
	d := req.Delivery
	if d == nil && !whole {
		return st, nil
	}
	if d == nil {
		d = &deliveryConfig{Method: methodPoll} // SSF 1.0 §8.1.1
	}
	if d.Method == methodPoll {
		if d.Endpoint != "" && d.Endpoint != s.pollAddress(st.ID) {
			return st, malformed("delivery.endpoint_url of a stream that is polled is the hub's to choose")
		}
		st.Method, st.Endpoint, st.credential = methodPoll, "", nil
		return st, nil
	}
	if err := s.d.Check(d.Endpoint); err != nil {
		return st, malformed("delivery.endpoint_url must be a public https address without fragment")
	}
	if whole || d.credential != "" || d.Endpoint != st.Endpoint { // a credential is for the address that it came with
		st.credential = nil
	}
	if d.credential != "" {
		st.credential = s.d.Sealer.Seal([]byte(d.credential), credentialPlace(st.ID))
	}
	st.Method, st.Endpoint = methodPush, d.Endpoint
	return st, nil
}

// agrees refuses a member that is the hub's to say and differs from what it says (SSF 1.0 §8.1.1.3).
func (c streamConfig) agrees(said members) error {
	for name, own := range map[string]any{
		"iss": c.Issuer, "aud": c.Audience, "events_supported": c.Supported, "min_verification_interval": c.Interval, "inactivity_timeout": c.Inactivity,
	} {
		raw, ok := said[name]
		if !ok {
			continue
		}
		want, err := json.Marshal(own)
		if err != nil {
			return err
		}
		var compact bytes.Buffer
		if json.Compact(&compact, raw) != nil || !bytes.Equal(compact.Bytes(), want) {
			return malformed(name + " is the hub's to say")
		}
	}
	return nil
}
