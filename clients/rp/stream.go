package rp

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const (
	scopeStream = "ssf.manage"
	// streamPause is how long to wait before asking the hub again for a stream that it did not give.
	streamPause = 5 * time.Second
	// streamRenew is how often the hub hears that we are there: it pauses a stream whose receiver is silent for a month.
	streamRenew = 24 * time.Hour
)

// transmitter is what we need of the hub's SSF configuration (SSF 1.0 §7.1).
type transmitter struct {
	Issuer  string `json:"issuer"`
	Streams string `json:"configuration_endpoint"`
	Status  string `json:"status_endpoint"`
}

type streamConfig struct {
	ID        string          `json:"stream_id,omitempty"`
	Delivery  *streamDelivery `json:"delivery,omitempty"`
	Requested []string        `json:"events_requested,omitempty"`
}

type streamDelivery struct {
	Method   string `json:"method"`
	Endpoint string `json:"endpoint_url,omitempty"`
	Header   string `json:"authorization_header,omitempty"`
}

// KeepStream has the hub push security events of these types to PathSignals, with the secret that Signals wants, until ctx ends. It
// may be called by any number of processes: the stream is made once and brought in line by each.
func (p *Party) KeepStream(ctx context.Context, secret Secret, types ...string) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		err := p.openStream(ctx, secret, types)
		if err == nil {
			wait.Reset(streamRenew)
			continue
		}
		if left, due := p.faults.due(p.now()); due && ctx.Err() == nil {
			p.log.WarnContext(ctx, "no stream of security events yet", "err", err, "left_off", left)
		}
		wait.Reset(streamPause)
	}
}

// openStream makes our stream, or makes the one there is what we want.
func (p *Party) openStream(ctx context.Context, secret Secret, types []string) error {
	base := strings.TrimSuffix(p.issuer, "/")
	var hub transmitter
	if err := p.exchange(ctx, http.MethodGet, base+"/.well-known/ssf-configuration", http.Header{"Accept": {"application/json"}}, nil, &hub); err != nil {
		return err
	}
	if hub.Issuer != p.issuer || !strings.HasPrefix(hub.Streams, base+"/") || !strings.HasPrefix(hub.Status, base+"/") {
		return &Error{Reason: IssuerMismatch, Detail: "ssf-configuration"}
	}
	path := strings.TrimPrefix(hub.Streams, base)
	var there []streamConfig
	if err := p.CallOwn(ctx, scopeStream, http.MethodGet, path, nil, &there); err != nil {
		return err
	}
	want := streamConfig{Requested: types, Delivery: &streamDelivery{
		Method: "urn:ietf:rfc:8935", Endpoint: p.base + PathSignals, Header: "Bearer " + secret.Reveal(),
	}}
	method := http.MethodPost
	if len(there) > 0 {
		method, want.ID = http.MethodPut, there[0].ID
	}
	var made streamConfig
	if err := p.CallOwn(ctx, scopeStream, method, path, want, &made); err != nil || len(there) == 0 {
		return err
	}
	// One that was paused while we were away goes on.
	return p.CallOwn(ctx, scopeStream, http.MethodPost, strings.TrimPrefix(hub.Status, base), map[string]string{"stream_id": made.ID, "status": "enabled"}, nil)
}
