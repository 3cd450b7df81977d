package federation

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

const signalSeed = `[
	{"client_id": "etax", "client_name": "見本e-Tax", "client_name#en": "Sample e-Tax", "operator": "見本国税庁", "listed": true,
	 "redirect_uris": ["https://etax.example/callback"], "initiate_login_uri": "https://etax.example/login",
	 "grant_types": ["authorization_code", "client_credentials"], "token_endpoint_auth_method": "client_secret_basic",
	 "client_secret_sha256": "0000000000000000000000000000000000000000000000000000000000000000", "scope": "openid link ssf.manage"},
	{"client_id": "shop", "client_name": "見本商店", "client_name#en": "Sample shop", "operator": "見本社",
	 "redirect_uris": ["https://shop.example/callback"],
	 "grant_types": ["authorization_code", "client_credentials"], "token_endpoint_auth_method": "client_secret_basic",
	 "client_secret_sha256": "0000000000000000000000000000000000000000000000000000000000000000", "scope": "openid ssf.manage"}
]`

// transmitter is Signals on a clock moved by hand, with receivers that answer as they are told.
type transmitter struct {
	*Signals
	t      testing.TB
	links  *Links
	log    *audit.Log
	at     *atomic.Int64
	agreed map[AccountID][]clients.ID

	mu     *sync.Mutex
	status map[string]int // by address; 0: nobody answers
	got    map[string][]clients.Message
}

func newTransmitter(t testing.TB, db *sqldb.DB) *transmitter {
	t.Helper()
	subjects, links, log := open(t, db)
	registry, err := clients.Open(t.Context(), clients.Deps{DB: db, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Seed(t.Context(), []byte(signalSeed)); err != nil {
		t.Fatal(err)
	}
	sealer, err := keys.CreateSealer(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	w := &transmitter{
		t: t, links: links, log: log, at: &atomic.Int64{}, agreed: map[AccountID][]clients.ID{}, mu: &sync.Mutex{},
		status: map[string]int{}, got: map[string][]clients.Message{},
	}
	w.at.Store(start.UnixMilli())
	w.Signals, err = NewSignals(SignalsDeps{
		Issuer: "https://hub.example", DB: db, Clients: registry, Subjects: subjects, Links: links, Audit: log, Sealer: sealer,
		Sign: func(_ keys.Alg, typ string, claims any) (string, error) {
			b, err := json.Marshal(claims)
			return typ + " " + string(b), err
		},
		Agreed: func(_ context.Context, a AccountID) ([]clients.ID, error) { return w.agreed[a], nil },
		Check: func(address string) error {
			if !strings.HasPrefix(address, "https://") || strings.Contains(address, "127.0.0.1") {
				return errors.New("guarded")
			}
			return nil
		},
		Send: func(_ context.Context, address string, m clients.Message) (int, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.got[address] = append(w.got[address], m)
			if w.status[address] == 0 {
				return 0, errors.New("nobody answers")
			}
			return w.status[address], nil
		},
		Now: func() time.Time { return time.UnixMilli(w.at.Load()) }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// twin is another process on the same database.
func (w *transmitter) twin() *transmitter {
	other := *w
	var err error
	if other.Signals, err = NewSignals(w.d); err != nil {
		w.t.Fatal(err)
	}
	return &other
}

func (w *transmitter) advance(d time.Duration) { w.at.Add(d.Milliseconds()) }

// stream makes a stream for everything, by poll or to an address.
func (w *transmitter) stream(client clients.ID, endpoint string) stream {
	w.t.Helper()
	st := stream{ID: "s-" + string(client), Client: client, Method: methodPoll, Requested: eventTypes(true), Status: streamEnabled, Created: w.d.Now(), Seen: w.d.Now()}
	if endpoint != "" {
		st.Method, st.Endpoint = methodPush, endpoint
	}
	if first, err := insertStream(w.t.Context(), w.d.DB, st); err != nil || !first {
		w.t.Fatal(first, err)
	}
	return st
}

func (w *transmitter) emit(signals ...Signal) {
	w.t.Helper()
	if err := w.Emit(w.t.Context(), signals...); err != nil {
		w.t.Fatal(err)
	}
}

// queue returns what waits in a stream.
func (w *transmitter) queue(st stream) []setClaims {
	w.t.Helper()
	rows, err := listQueued(w.t.Context(), w.d.DB, `stream = $1 AND state = 'pending' ORDER BY created_ms, id`, st.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []setClaims
	for _, q := range rows {
		c, err := w.claims(st, q)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// typesOf returns the types of events, sorted.
func typesOf(all []setClaims) []EventType {
	var out []EventType
	for _, c := range all {
		for t := range c.Events {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

func (w *transmitter) deliver() {
	w.t.Helper()
	var working sync.WaitGroup
	if err := w.round(w.t.Context(), &working); err != nil {
		w.t.Fatal(err)
	}
	working.Wait()
}

func TestNewSignalsNamesWhatIsMissing(t *testing.T) {
	if _, err := NewSignals(SignalsDeps{}); err == nil {
		t.Error("accepted empty SignalsDeps")
	}
}

// A service hears of people who agreed to it or are linked with it, by the name that it knows them by, and of nobody else.
func TestSignalsGoToServicesThatKnowThePerson(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newTransmitter(t, db)
		etax, shop := w.stream("etax", ""), w.stream("shop", "")
		linked, agreed, stranger := newAccount(), newAccount(), newAccount()
		w.agreed[agreed] = []clients.ID{"shop"}
		if _, err := w.links.Confirm(t.Context(), linked, "etax", ""); err != nil {
			t.Fatal(err)
		}
		for _, a := range []AccountID{linked, agreed, stranger} {
			w.emit(Signal{Account: a, Event: CredentialChanged(CredentialPasskey, CredentialCreated, InitiatedByUser), Cause: "one"})
		}
		for _, want := range []struct {
			stream  stream
			account AccountID
		}{{etax, linked}, {shop, agreed}} {
			all := w.queue(want.stream)
			if len(all) != 1 {
				t.Fatalf("%s: %+v", want.stream.Client, all)
			}
			c := all[0]
			sub, err := w.d.Subjects.For(t.Context(), want.account, string(want.stream.Client)+".example")
			if err != nil || c.Subject["format"] != "iss_sub" || c.Subject["sub"] != sub || c.Subject["iss"] != "https://hub.example" ||
				c.Audience != string(want.stream.Client) || c.Issuer != "https://hub.example" || c.ID == "" || c.Txn == "" || c.IssuedAt != start.Unix() || c.Happened != start.Unix() {
				t.Errorf("%+v, %v", c, err)
			}
			e := c.Events[EventCredentialChange]
			if e["credential_type"] != "fido2-platform" || e["change_type"] != "create" || e["event_timestamp"] != float64(start.Unix()) {
				t.Errorf("%+v", e)
			}
		}
		if a, b := w.queue(etax)[0], w.queue(shop)[0]; a.Txn == b.Txn || a.ID == b.ID {
			t.Error("two services can tell by txn or jti that two names are one person")
		}
		w.advance(time.Second) // one session of one service
		w.emit(Signal{Account: linked, Client: "etax", SID: "sid-1", Event: SessionRevoked(LogoutSession)})
		c := w.queue(etax)[1]
		user, _ := c.Subject["user"].(map[string]any)
		session, _ := c.Subject["session"].(map[string]any)
		if c.Subject["format"] != "complex" || user["format"] != "iss_sub" || session["format"] != "opaque" || session["id"] != "sid-1" {
			t.Errorf("%+v", c.Subject)
		}
		w.advance(time.Second) // and one in which somebody acts for somebody else
		w.emit(Signal{Account: linked, Client: "etax", SID: "sid-2", Nameless: true, Event: SessionRevoked(LogoutSession)})
		if c := w.queue(etax)[2]; c.Subject["user"] != nil || c.Subject["session"] == nil {
			t.Errorf("it says who acted: %+v", c.Subject)
		}
		if len(w.queue(shop)) != 1 {
			t.Error("another service was told")
		}
	})
}

// The promise to tell and what it tells of stand or fall together.
func TestEmitJoinsTheCallersTransaction(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newTransmitter(t, db)
		st := w.stream("etax", "")
		stop := errors.New("changed my mind")
		err := db.Tx(t.Context(), func(ctx context.Context) error {
			if err := w.Emit(ctx, Signal{Account: "taro", Client: "etax", Event: AccountDisabled("")}); err != nil {
				return err
			}
			return stop
		})
		if all := w.queue(st); !errors.Is(err, stop) || len(all) != 0 {
			t.Errorf("%v; %+v", err, all)
		}
	})
}
