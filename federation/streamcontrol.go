package federation

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// statusAnswer is SSF 1.0 §8.1.2.
type statusAnswer struct {
	StreamID string       `json:"stream_id"`
	Status   streamStatus `json:"status"`
	Reason   string       `json:"reason,omitempty"`
}

func (a *streamAPI) getStatus(c echo.Context, client *clients.Client) error {
	st, err := a.own(c.Request().Context(), client, c.QueryParam("stream_id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, statusAnswer{st.ID, st.Status, st.Reason})
}

// decodeStatus reads what a receiver wants its stream to do.
func decodeStatus(d members) (statusAnswer, error) {
	var out statusAnswer
	var err error
	if out.StreamID, err = d.required("stream_id", maxStreamID); err != nil {
		return out, err
	}
	status, err := d.required("status", 16)
	if err != nil {
		return out, err
	}
	out.Status = streamStatus(status)
	switch out.Status {
	case streamEnabled, streamPaused, streamDisabled:
	default:
		return out, malformed("status must be enabled, paused or disabled")
	}
	out.Reason, err = d.text("reason", maxDescription)
	return out, err
}

func (a *streamAPI) postStatus(c echo.Context, client *clients.Client) error {
	d, err := readDocument(c.Request(), maxStreamBody)
	if err != nil {
		return err
	}
	req, err := decodeStatus(d)
	if err != nil {
		return err
	}
	err = a.Signals.d.DB.Tx(context.WithoutCancel(c.Request().Context()), func(ctx context.Context) error {
		st, err := a.own(ctx, client, req.StreamID)
		if err != nil {
			return err
		}
		return a.setStatus(ctx, st, req.Status, req.Reason, ByService)
	})
	if err != nil {
		return err
	}
	a.nudge()
	return c.JSON(http.StatusOK, req)
}

// subjectRequest is SSF 1.0 §8.1.3.
type subjectRequest struct {
	StreamID string
	Issuer   string
	Subject  string // empty: not a name that the hub gives
}

// decodeSubject reads a subject that a receiver wants added or removed. The only name that a service and the hub share for a person
// is the one in the ID token; any other format is well formed, and nobody.
func decodeSubject(d members) (subjectRequest, error) {
	var out subjectRequest
	var err error
	if out.StreamID, err = d.required("stream_id", maxStreamID); err != nil {
		return out, err
	}
	if raw, ok := d["verified"]; ok && string(raw) != "true" && string(raw) != "false" {
		return out, malformed("verified must be true or false")
	}
	sub, err := d.object("subject")
	if err != nil {
		return out, err
	}
	if sub == nil {
		return out, malformed("subject is missing")
	}
	format, err := sub.required("format", 64)
	if err != nil {
		return out, err
	}
	if format == "complex" {
		user, err := sub.object("user")
		if err != nil || user == nil || len(sub) > 2 { // a part of a person is not a subject that can be left out
			return out, err
		}
		if sub, format = user, ""; sub["format"] != nil {
			if format, err = sub.required("format", 64); err != nil {
				return out, err
			}
		}
	}
	if format != "iss_sub" {
		return out, nil
	}
	if out.Issuer, err = sub.required("iss", maxSubjectID); err != nil {
		return out, err
	}
	out.Subject, err = sub.required("sub", maxSubjectID)
	return out, err
}

// postAdd lets a receiver hear of a person again. Of a person it does not know it learns nothing: the answer is the same (SSF 1.0
// §8.1.3.2).
func (a *streamAPI) postAdd(c echo.Context, client *clients.Client) error {
	if err := a.subject(c, client, func(ctx context.Context, st stream, account AccountID) error {
		return include(ctx, a.Signals.d.DB, st.ID, account)
	}); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// postRemove lets a receiver hear of a person no more.
func (a *streamAPI) postRemove(c echo.Context, client *clients.Client) error {
	if err := a.subject(c, client, func(ctx context.Context, st stream, account AccountID) error {
		return exclude(ctx, a.Signals.d.DB, st.ID, account, a.Signals.d.Now())
	}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *streamAPI) subject(c echo.Context, client *clients.Client, do func(context.Context, stream, AccountID) error) error {
	d, err := readDocument(c.Request(), maxStreamBody)
	if err != nil {
		return err
	}
	req, err := decodeSubject(d)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	st, err := a.own(ctx, client, req.StreamID)
	if err != nil || req.Subject == "" || req.Issuer != a.Signals.d.Issuer {
		return err
	}
	account, err := a.Signals.d.Subjects.Account(ctx, client.Sector(), req.Subject)
	if isReason(err, SubjectUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	return do(ctx, st, account)
}

// postVerify puts an event into the stream that its receiver knows by the state it gave (SSF 1.0 §8.1.4.2).
func (a *streamAPI) postVerify(c echo.Context, client *clients.Client) error {
	d, err := readDocument(c.Request(), verifyBody)
	if err != nil {
		return err
	}
	id, err := d.required("stream_id", maxStreamID)
	if err != nil {
		return err
	}
	state, err := d.text("state", maxState)
	if err != nil {
		return err
	}
	err = a.Signals.d.DB.Tx(context.WithoutCancel(c.Request().Context()), func(ctx context.Context) error {
		st, err := a.own(ctx, client, id)
		if err != nil {
			return err
		}
		if st.Status == streamDisabled {
			return malformed("the stream is disabled")
		}
		now := a.Signals.d.Now()
		first, err := claimVerification(ctx, a.Signals.d.DB, st.ID, now)
		if err != nil {
			return err
		}
		if !first {
			return &Error{Reason: TooSoon, Detail: "the stream was verified a moment ago"}
		}
		event := map[string]any{}
		if state != "" {
			event["state"] = state
		}
		return a.insert(ctx, st, queued{Type: eventVerification}, body{
			Subject: streamSubject(st.ID), Event: event, Happened: now.Unix(), Txn: a.txn(st, ""),
		})
	})
	if err != nil {
		return err
	}
	a.nudge()
	return c.NoContent(http.StatusNoContent)
}

// errPollMember: see decodePoll.
var errPollMember = errors.New("not a boolean")

func boolean(raw json.RawMessage) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errPollMember
}
