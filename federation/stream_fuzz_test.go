package federation

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

// refusedWell fails unless an error is a refusal of what a receiver sent.
func refusedWell(t *testing.T, err error) {
	t.Helper()
	if err != nil && !isReason(err, RequestMalformed) {
		t.Fatalf("refused with %v", err)
	}
}

// FuzzStreamConfig: what is accepted has a method we know, an address where one is needed, and no header within a header.
func FuzzStreamConfig(f *testing.F) {
	for _, s := range []string{
		`{}`, pushBody, `{"stream_id":"a","events_requested":["x"],"description":"d"}`, `{"delivery":{"method":"urn:ietf:rfc:8936"}}`, `{"a":1,"a":2}`, `[]`,
		`{"delivery":null}`, `{"events_requested":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDocument(raw)
		if err != nil {
			if !errors.Is(err, errDocument) {
				t.Fatal(err)
			}
			return
		}
		req, err := decodeStream(d)
		if refusedWell(t, err); err != nil {
			return
		}
		if len(req.Requested) > maxEventTypes || len(req.StreamID) > 4*maxStreamID {
			t.Errorf("%+v", req)
		}
		if req.Delivery != nil {
			if req.Delivery.Method != methodPoll && (req.Delivery.Method != methodPush || req.Delivery.Endpoint == "") {
				t.Errorf("%+v", req.Delivery)
			}
			if strings.ContainsFunc(req.Delivery.credential, unicode.IsControl) {
				t.Errorf("%q", req.Delivery.credential)
			}
		}
	})
}

// FuzzStreamControl: status and subject are of closed sets, or refused.
func FuzzStreamControl(f *testing.F) {
	for _, s := range []string{
		`{"stream_id":"a","status":"paused","reason":"r"}`, `{"stream_id":"a","subject":{"format":"iss_sub","iss":"i","sub":"s"},"verified":true}`,
		`{"stream_id":"a","subject":{"format":"complex","user":{"format":"iss_sub","iss":"i","sub":"s"}}}`, `{"stream_id":"a","subject":{"format":"complex"}}`,
		`{"stream_id":"a","subject":{"format":"complex","user":null}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDocument(raw)
		if err != nil {
			return
		}
		status, err := decodeStatus(d)
		if refusedWell(t, err); err == nil && status.Status != streamEnabled && status.Status != streamPaused && status.Status != streamDisabled {
			t.Errorf("%+v", status)
		}
		subject, err := decodeSubject(d)
		if refusedWell(t, err); err == nil && (subject.StreamID == "" || subject.Subject != "" && subject.Issuer == "") {
			t.Errorf("%+v", subject)
		}
	})
}

// FuzzPoll: what is accepted is within its bounds.
func FuzzPoll(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"maxEvents":10,"returnImmediately":true}`, `{"ack":["a","b"]}`, `{"setErrs":{"a":{"err":"invalid_key","description":"d"}}}`, `{"maxEvents":1e99}`,
		`{"maxEvents":-0}`, `{"setErrs":{"":{"err":"x"}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDocument(raw)
		if err != nil {
			return
		}
		req, err := decodePoll(d)
		if refusedWell(t, err); err == nil && (req.Max < 0 || req.Max > maxPolled || len(req.Acks) > maxAcks || len(req.Errors) > maxMembers) {
			t.Errorf("%+v", req)
		}
	})
}
