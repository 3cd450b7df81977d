package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// Bounds of a poll.
const (
	maxPollBody = 256 << 10
	maxAcks     = 1000
	maxPolled   = 100 // events in one answer
	// pollPatience is how long a poll may wait for something to tell.
	pollPatience = 15 * time.Second
	pollLook     = time.Second // how long what another process wrote may go unseen
	// Polls that wait, in one process: of one stream, and streams. Beyond that they are answered at once.
	perStream  = 2
	maxWaiting = 500
)

// pollRequest is RFC 8936 §2.2.
type pollRequest struct {
	Max    int // events; 0: none
	AtOnce bool
	Acks   []string
	Errors map[string]string // what the receiver does not take, and the word it has for why
}

// decodePoll reads a poll.
func decodePoll(d members) (pollRequest, error) {
	out := pollRequest{Max: maxPolled}
	if raw, ok := d["maxEvents"]; ok {
		var n float64
		if json.Unmarshal(raw, &n) != nil || raw[0] == 'n' || n < 0 || n != float64(int64(n)) {
			return out, malformed("maxEvents must be a whole number from 0")
		}
		out.Max = int(min(n, maxPolled))
	}
	if raw, ok := d["returnImmediately"]; ok {
		var err error
		if out.AtOnce, err = boolean(raw); err != nil {
			return out, malformed("returnImmediately must be true or false")
		}
	}
	var err error
	if out.Acks, err = d.texts("ack", maxAcks); err != nil {
		return out, err
	}
	errs, err := d.object("setErrs")
	if err != nil || errs == nil {
		return out, err
	}
	out.Errors = make(map[string]string, len(errs))
	for jti := range errs {
		one, err := errs.object(jti)
		if err != nil {
			return out, err
		}
		word, err := one.required("err", 64)
		if err != nil {
			return out, err
		}
		if strings.ContainsFunc(word, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			return out, malformed("err must be a word of RFC 8935")
		}
		out.Errors[jti] = word
	}
	return out, nil
}

// pollAnswer is RFC 8936 §2.3.
type pollAnswer struct {
	Sets map[string]string `json:"sets"`
	More bool              `json:"moreAvailable,omitempty"`
}

// postPoll takes what the receiver acknowledges and hands out what waits. What is not acknowledged is handed out again: a receiver
// that dies after its poll loses nothing.
func (a *streamAPI) postPoll(c echo.Context, client *clients.Client) error {
	d, err := readDocument(c.Request(), maxPollBody)
	if err != nil {
		return err
	}
	req, err := decodePoll(d)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	st, err := a.own(ctx, client, c.Param("id"))
	if err != nil {
		return err
	}
	if st.Method != methodPoll {
		return &Error{Reason: StreamUnknown, Detail: "the stream is pushed"}
	}
	if err := a.take(context.WithoutCancel(ctx), st, req); err != nil {
		return err
	}
	answer := pollAnswer{Sets: map[string]string{}}
	if req.Max == 0 {
		return c.JSON(http.StatusOK, answer)
	}
	rows, err := a.await(ctx, st, req)
	if err != nil {
		return err
	}
	if len(rows) > req.Max {
		rows, answer.More = rows[:req.Max], true
	}
	for _, q := range rows {
		if answer.Sets[q.ID], err = a.token(client.IDTokenAlg(), st, q); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, answer)
}

// take ends the wait of what the receiver has, or does not want. To say so twice is harmless.
func (a *streamAPI) take(ctx context.Context, st stream, req pollRequest) error {
	if len(req.Acks)+len(req.Errors) == 0 {
		return nil
	}
	return a.Signals.d.DB.Tx(ctx, func(ctx context.Context) error {
		slices.Sort(req.Acks) // two polls that acknowledge the same wait for each other only one way
		for _, jti := range req.Acks {
			if err := a.settle(ctx, st, jti, eventTold, ""); err != nil {
				return fmt.Errorf("acknowledge: %w", err)
			}
		}
		for _, jti := range slices.Sorted(maps.Keys(req.Errors)) {
			if err := a.settle(ctx, st, jti, eventRefused, req.Errors[jti]); err != nil {
				return fmt.Errorf("note refusal: %w", err)
			}
		}
		return nil
	})
}

// await returns what waits in the stream, one more than asked if there is; with nothing there it waits a while, unless it shall not.
func (a *streamAPI) await(ctx context.Context, st stream, req pollRequest) ([]queued, error) {
	rows, err := waitingIn(ctx, a.Signals.d.DB, st, req.Max+1)
	if err != nil || len(rows) > 0 || req.AtOnce || !a.mayWait(st.ID) {
		return rows, err
	}
	defer a.waited(st.ID)
	patience := time.NewTimer(pollPatience)
	defer patience.Stop()
	for {
		bell := a.bell(st.ID)
		if rows, err := waitingIn(ctx, a.Signals.d.DB, st, req.Max+1); err != nil || len(rows) > 0 {
			return rows, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return nil, nil
		case <-bell:
		case <-time.After(pollLook):
		}
		if st, err = findStream(ctx, a.Signals.d.DB, st.Client); err != nil { // it may have been paused, or be gone
			return nil, err
		}
	}
}

// poll is what this process knows of the polls of a stream that wait.
type poll struct {
	waiting int
	bell    chan struct{} // closed when something was put into a stream
}

// mayWait counts a poll that waits, unless there are too many: of one stream or of all.
func (s *Signals) mayWait(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.polls[id]
	if p == nil && len(s.polls) >= maxWaiting || p != nil && p.waiting >= perStream {
		return false
	}
	if p == nil {
		p = &poll{bell: make(chan struct{})}
		s.polls[id] = p
	}
	p.waiting++
	return true
}

func (s *Signals) waited(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polls[id].waiting--; s.polls[id].waiting == 0 {
		delete(s.polls, id)
	}
}

func (s *Signals) bell(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls[id].bell
}

// ring wakes the polls of this process that wait.
func (s *Signals) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.polls {
		close(p.bell)
		p.bell = make(chan struct{})
	}
}
