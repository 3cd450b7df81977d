package idp

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
)

// ServiceFigures is how a service fares.
type ServiceFigures struct {
	Since    time.Time // of Logins, Refused and the Saw…
	Logins   int64
	Refused  map[string]int64 // by reason
	Sessions int64            // alive now
	Linked   int64            // people whose folder is connected with it
	Waiting  int64            // sign-outs that it has not heard of yet

	SawRequest, SawToken, SawLogout bool // it asked, it fetched tokens, it confirmed a sign-out or sent somebody for one
}

// ServiceFigures returns the figures of a client; of whom they are is not in them.
func (p *Provider) ServiceFigures(ctx context.Context, id clients.ID) (ServiceFigures, error) {
	day, err := p.shapes.Day(ctx, id)
	if err != nil {
		return ServiceFigures{}, err
	}
	out := ServiceFigures{
		Since: day.Since, Logins: day.Count(shapes.SignedIn), Refused: day.Refused(),
		SawRequest: day.Count(shapes.Authorization)+day.Count(shapes.Pushed)+day.Count(shapes.Device) > 0, SawToken: day.Count(shapes.Token) > 0,
	}
	if out.Sessions, err = p.sessions.entries.of(ctx, id, p.now()); err != nil {
		return ServiceFigures{}, err
	}
	if out.Linked, err = p.links.Count(ctx, id); err != nil {
		return ServiceFigures{}, err
	}
	waiting, confirmed, err := p.deliveries.Counts(ctx, id, day.Since)
	out.Waiting, out.SawLogout = waiting, confirmed > 0 || day.Count(shapes.SignOut) > 0
	return out, err
}

// ServiceSession is a sign-in to a service that is alive.
type ServiceSession struct {
	ID           string // the sid that the service knows
	Since, Until time.Time
}

// ServiceSessions returns a page of the sessions of a client that are alive, those that were used last first; after is the next of the page
// before. Of whom they are is not in them.
func (p *Provider) ServiceSessions(ctx context.Context, id clients.ID, after string, limit int) (out []ServiceSession, next string, err error) {
	rows, err := p.sessions.entries.page(ctx, id, p.now(), p.openCursor(id, after), limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = p.sealCursor(id, rows[limit-1])
	}
	for _, row := range rows {
		s, err := p.sessions.get(ctx, row.session)
		if err != nil {
			return nil, "", err
		}
		if s == nil || s.since(id) == 0 {
			continue // it ended just now
		}
		out = append(out, ServiceSession{
			ID: p.clientSID(s.ID, string(id)), Since: time.UnixMilli(s.since(id)).UTC(), Until: p.sessions.rules.end(s).UTC(),
		})
	}
	return out, next, nil
}

// ServiceDeliveries returns a page of what a client was told of sign-outs, or is to be told, newest first: those that follow the id after.
func (p *Provider) ServiceDeliveries(ctx context.Context, id clients.ID, after string, limit int) (out []federation.Delivery, next string, err error) {
	out, err = p.deliveries.Of(ctx, id, after, limit+1)
	if err == nil && len(out) > limit {
		out, next = out[:limit], out[limit-1].ID
	}
	return out, next, err
}

// entryRow is a row of session_service.
type entryRow struct {
	session string
	ends    int64 // Unix milliseconds
}

// sealCursor names a row for the page that follows. It is sealed: the hub's own name of a session is the same at every service, and people of two
// organisations must not find by it who uses both.
func (p *Provider) sealCursor(id clients.ID, r entryRow) string {
	return base64.RawURLEncoding.EncodeToString(p.sealer.Seal([]byte(strconv.FormatInt(r.ends, 10)+" "+r.session), []byte("sessions of "+id)))
}

// openCursor returns the row; what is no cursor of this service begins at the beginning.
func (p *Provider) openCursor(id clients.ID, cursor string) entryRow {
	first := entryRow{ends: 1 << 62}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return first
	}
	if b, err = p.sealer.Open(b, []byte("sessions of "+id)); err != nil {
		return first
	}
	ends, session, _ := strings.Cut(string(b), " ")
	n, err := strconv.ParseInt(ends, 10, 64)
	if err != nil {
		return first
	}
	return entryRow{session, n}
}

// of counts the sessions of a service that are alive.
func (e entries) of(ctx context.Context, client clients.ID, now time.Time) (n int64, err error) {
	if err = e.db.QueryRow(ctx, `SELECT count(*) FROM session_service WHERE client = $1 AND ends_ms > $2`, string(client), now.UnixMilli()).Scan(&n); err != nil {
		return 0, fmt.Errorf("count sessions: %w", err)
	}
	return n, nil
}

// page lists the sessions of a service that are alive, those that end last first.
func (e entries) page(ctx context.Context, client clients.ID, now time.Time, from entryRow, limit int) (out []entryRow, err error) {
	rows, err := e.db.Query(ctx, `SELECT session, ends_ms FROM session_service WHERE client = $1 AND ends_ms > $2
		AND (ends_ms < $3 OR ends_ms = $3 AND session > $4) ORDER BY ends_ms DESC, session LIMIT $5`,
		string(client), now.UnixMilli(), from.ends, from.session, limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r entryRow
		if err := rows.Scan(&r.session, &r.ends); err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
