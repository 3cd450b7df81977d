package federation

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// The paths of the transmitter. All but the first want a client's own token.
const (
	PathSSFConfiguration = "/.well-known/ssf-configuration"

	pathStreams  = "/api/ssf/streams"
	pathStatus   = "/api/ssf/status"
	pathAdd      = "/api/ssf/subjects/add"
	pathRemove   = "/api/ssf/subjects/remove"
	pathVerify   = "/api/ssf/verify"
	pathPoll     = "/api/ssf/poll"
	verifyBody   = 8 << 10
	maxState     = 1024
	maxSubjectID = 2048
)

// The scopes of streams.
const (
	ScopeSSFRead   = clients.ScopeSSFRead
	ScopeSSFManage = clients.ScopeSSFManage
)

// transmitterMetadata is the document at PathSSFConfiguration (SSF 1.0 §7.1).
type transmitterMetadata struct {
	SpecVersion string              `json:"spec_version"`
	Issuer      string              `json:"issuer"`
	JWKS        string              `json:"jwks_uri"`
	Methods     []string            `json:"delivery_methods_supported"`
	Streams     string              `json:"configuration_endpoint"`
	Status      string              `json:"status_endpoint"`
	Add         string              `json:"add_subject_endpoint"`
	Remove      string              `json:"remove_subject_endpoint"`
	Verify      string              `json:"verification_endpoint"`
	Critical    []string            `json:"critical_subject_members"`
	Schemes     []map[string]string `json:"authorization_schemes"`
	Subjects    string              `json:"default_subjects"`
}

// Mount adds the routes of the transmitter.
func (s *Signals) Mount(e *echo.Echo, d StreamAPIDeps) {
	a := &streamAPI{Signals: s, d: d}
	manage := Need{Scope: ScopeSSFManage, Machine: true}
	read := Need{Scope: ScopeSSFRead, Or: ScopeSSFManage, Machine: true}
	e.GET(PathSSFConfiguration, a.getMetadata)
	e.POST(pathStreams, a.need(manage, a.postStream))
	e.GET(pathStreams, a.need(read, a.getStream))
	e.PATCH(pathStreams, a.need(manage, a.patchStream))
	e.PUT(pathStreams, a.need(manage, a.putStream))
	e.DELETE(pathStreams, a.need(manage, a.deleteStream))
	e.GET(pathStatus, a.need(read, a.getStatus))
	e.POST(pathStatus, a.need(manage, a.postStatus))
	e.POST(pathAdd, a.need(manage, a.postAdd))
	e.POST(pathRemove, a.need(manage, a.postRemove))
	e.POST(pathVerify, a.need(manage, a.postVerify))
	e.POST(pathPoll+"/:id", a.need(read, a.postPoll))
}

// StreamAPIDeps are as in APIDeps.
type StreamAPIDeps struct {
	Authorize func(ctx context.Context, r *http.Request, need Need) (Caller, error)
	Refuse    func(w http.ResponseWriter, r *http.Request, err error)
}

type streamAPI struct {
	*Signals
	d StreamAPIDeps
}

// need runs h for the client whose own token the request has.
func (a *streamAPI) need(n Need, h func(echo.Context, *clients.Client) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		ctx := c.Request().Context()
		who, err := a.d.Authorize(ctx, c.Request(), n)
		var receiver *clients.Client
		if err == nil {
			receiver, err = a.client(ctx, who.Client)
		}
		if err == nil && receiver == nil {
			err = &Error{Reason: StreamUnknown, Detail: "no such stream"} // suspended since the token was judged
		}
		if err == nil {
			err = h(c, receiver)
		}
		if err == nil {
			return nil
		}
		if own, ok := errors.AsType[*Error](err); ok {
			if own.Reason == TooSoon {
				c.Response().Header().Set("Retry-After", strconv.Itoa(int(verifyEvery.Seconds())))
			}
			_ = c.JSON(statusOf(own.Reason), problem{Error: own.Reason.String(), Description: own.Detail}) // fails only when the caller has gone
			return nil
		}
		a.d.Refuse(c.Response(), c.Request(), err)
		return nil
	}
}

func (a *streamAPI) getMetadata(c echo.Context) error {
	issuer := a.Signals.d.Issuer
	b, err := json.Marshal(transmitterMetadata{
		SpecVersion: "1_0", Issuer: issuer, JWKS: issuer + "/jwks", Methods: []string{methodPush, methodPoll}, Streams: issuer + pathStreams, Status: issuer + pathStatus,
		Add: issuer + pathAdd, Remove: issuer + pathRemove, Verify: issuer + pathVerify, Critical: []string{"user"},
		Schemes: []map[string]string{{"spec_urn": "urn:ietf:rfc:6749"}, {"spec_urn": "urn:ietf:rfc:9449"}}, Subjects: "ALL",
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, b)
}

// own returns the client's stream, which must be the one named; a client that asks is a client that is there.
func (a *streamAPI) own(ctx context.Context, c *clients.Client, id string) (stream, error) {
	st, err := findStream(ctx, a.Signals.d.DB, c.ID())
	if err != nil {
		return st, err
	}
	if st.ID != id {
		return st, &Error{Reason: StreamUnknown, Detail: "no such stream"}
	}
	return st, heardOf(ctx, a.Signals.d.DB, st.ID, a.Signals.d.Now())
}

func (a *streamAPI) postStream(c echo.Context, client *clients.Client) error {
	req, err := readStream(c.Request())
	if err != nil {
		return err
	}
	if req.StreamID != "" {
		return malformed("stream_id is the hub's to choose")
	}
	now := a.Signals.d.Now()
	st, err := a.apply(client, stream{ID: rand.Text(), Client: client.ID(), Status: streamEnabled, Created: now, Seen: now}, req, true)
	if err == nil {
		err = a.config(client, st).agrees(req.said)
	}
	if err != nil {
		return err
	}
	err = a.Signals.d.DB.Tx(context.WithoutCancel(c.Request().Context()), func(ctx context.Context) error {
		first, err := insertStream(ctx, a.Signals.d.DB, st)
		if err != nil {
			return err
		}
		if !first {
			return &Error{Reason: StreamExists, Detail: "the client has a stream: change or delete it"}
		}
		return a.audited(ctx, EventStreamMade, st)
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, a.config(client, st))
}

func (a *streamAPI) audited(ctx context.Context, kind audit.Kind, st stream) error {
	return a.Signals.d.Audit.Append(ctx, audit.Event{Kind: kind, Client: string(st.Client), Facts: map[string]string{"stream": st.ID, "method": st.Method}})
}

// getStream answers the stream named, or the list of the client's streams.
func (a *streamAPI) getStream(c echo.Context, client *clients.Client) error {
	ctx := c.Request().Context()
	if id := c.QueryParam("stream_id"); id != "" {
		st, err := a.own(ctx, client, id)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, a.config(client, st))
	}
	out := []streamConfig{}
	st, err := findStream(ctx, a.Signals.d.DB, client.ID())
	if err == nil {
		out = append(out, a.config(client, st))
	} else if !isReason(err, StreamUnknown) {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

func (a *streamAPI) patchStream(c echo.Context, client *clients.Client) error {
	return a.change(c, client, false)
}
func (a *streamAPI) putStream(c echo.Context, client *clients.Client) error {
	return a.change(c, client, true)
}

func (a *streamAPI) change(c echo.Context, client *clients.Client, whole bool) error {
	req, err := readStream(c.Request())
	if err != nil {
		return err
	}
	var st stream
	err = a.Signals.d.DB.Tx(context.WithoutCancel(c.Request().Context()), func(ctx context.Context) error {
		if st, err = a.own(ctx, client, req.StreamID); err != nil {
			return err
		}
		if st, err = a.apply(client, st, req, whole); err != nil {
			return err
		}
		if err := a.config(client, st).agrees(req.said); err != nil {
			return err
		}
		st.Seen = a.Signals.d.Now()
		there, err := updateStream(ctx, a.Signals.d.DB, st)
		if err != nil {
			return err
		}
		if !there {
			return &Error{Reason: StreamUnknown, Detail: "no such stream"}
		}
		return a.audited(ctx, EventStreamChanged, st)
	})
	if err != nil {
		return err
	}
	a.nudge()
	return c.JSON(http.StatusOK, a.config(client, st))
}

func (a *streamAPI) deleteStream(c echo.Context, client *clients.Client) error {
	err := a.Signals.d.DB.Tx(context.WithoutCancel(c.Request().Context()), func(ctx context.Context) error {
		st, err := a.own(ctx, client, c.QueryParam("stream_id"))
		if err != nil {
			return err
		}
		there, err := deleteStream(ctx, a.Signals.d.DB, st.ID)
		if err != nil {
			return err
		}
		if !there {
			return &Error{Reason: StreamUnknown, Detail: "no such stream"}
		}
		return a.audited(ctx, EventStreamEnded, st)
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func readStream(r *http.Request) (streamRequest, error) {
	d, err := readDocument(r, maxStreamBody)
	if err != nil {
		return streamRequest{}, err
	}
	return decodeStream(d)
}
