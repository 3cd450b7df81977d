package hub

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	killEnv   = "TSUNAGU_TEST_KILLED_HUB"
	killRound = time.Minute // by which the clock of every hub is ahead of that of the one before: leases and pauses are over
	killLoops = 50
	killAfter = 12                    // sessions at most, drawn anew for each hub
	killLate  = 40 * time.Millisecond // and at most this later, so that some are killed while they tell
)

// killed is what a hub that will be killed is told.
type killed struct {
	DSN, Dir string
	Services []string // origins
	Round    int
}

func TestMain(m *testing.M) {
	order := os.Getenv(killEnv)
	if order == "" {
		os.Exit(m.Run())
	}
	if err := killedHub(context.Background(), order); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (k killed) clients() []clients.ID {
	var out []clients.ID
	for i := range k.Services {
		out = append(out, clients.ID(fmt.Sprintf("service-%d", i)))
	}
	return out
}

// open opens the whole hub of a round.
func (k killed) open(ctx context.Context) (*Hub, *sqldb.DB, error) {
	now := func() time.Time { return time.Now().Add(time.Duration(k.Round) * killRound) }
	db, err := sqldb.Open(ctx, k.DSN)
	if err != nil {
		return nil, nil, err
	}
	pki, err := cardtest.LoadOrCreatePKI(filepath.Join(k.Dir, "pki"), now, "http://127.0.0.1:1/ocsp")
	if err != nil {
		return nil, nil, err
	}
	anchors, err := cardauth.ParseAnchors(cardauth.Test, pki.Auth().PEM())
	if err != nil {
		return nil, nil, err
	}
	revocation, err := cardauth.NewRevocation(cardauth.RevocationDeps{
		Now: now, CRL: "http://127.0.0.1:1/crl", Anchors: anchors, Directory: filepath.Join(k.Dir, "crl"), Metrics: metrics.New(),
	})
	if err != nil {
		return nil, nil, err
	}
	sealer, err := keys.CreateSealer(filepath.Join(k.Dir, "seal.key"))
	if err != nil {
		return nil, nil, err
	}
	var allowed []string
	var seed []map[string]any
	for i, origin := range k.Services {
		allowed = append(allowed, strings.TrimPrefix(origin, "http://"))
		seed = append(seed, map[string]any{
			"client_id": k.clients()[i], "client_name": "試験", "operator": "試験", "development": true, "redirect_uris": []string{origin + "/callback"},
			"token_endpoint_auth_method": "none", "backchannel_logout_uri": origin, "id_token_signed_response_alg": "ES256",
		})
	}
	fetch, err := clients.NewFetcher(clients.FetcherConfig{Now: now, Allow: allowed})
	if err != nil {
		return nil, nil, err
	}
	h, err := New(ctx, Config{
		Issuer: "http://localhost:1", AgentURL: "http://127.0.0.1:2", DB: db, Sealer: sealer, Anchors: anchors, Revocation: revocation, Fetch: fetch,
		Now: now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, err
	}
	b, err := json.Marshal(seed)
	if err != nil {
		return nil, nil, err
	}
	return h, db, h.Clients.Seed(ctx, b)
}

// killedHub runs a hub and ends sessions, each at every service, as fast as it can, and says of each that it has; until it is killed.
func killedHub(ctx context.Context, order string) error {
	var k killed
	if err := json.Unmarshal([]byte(order), &k); err != nil {
		return err
	}
	h, _, err := k.open(ctx)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Run(ctx) }()
	fmt.Println("ready")
	for range 40 {
		session := rand.Text()
		var notices []federation.Notice
		for _, id := range k.clients() {
			notices = append(notices, federation.Notice{Account: "taro", Client: id, Session: session, SID: session})
		}
		if _, err := h.outbox.Enqueue(ctx, federation.LogoutSession, notices); err != nil {
			return err
		}
		fmt.Println(session)
	}
	return <-failed
}

// told is what the services heard: the logout tokens of each.
type told struct {
	mu     sync.Mutex
	tokens [][]string
	calls  int
	calm   bool // every call is answered well
}

// service answers as services do: mostly well, sometimes late, sometimes not.
func (s *told) service(t *testing.T, i int) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.PostFormValue("logout_token")
		s.mu.Lock()
		s.calls++
		n := s.calls
		if s.calm {
			n = 1
		}
		s.mu.Unlock()
		if n%7 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if n%11 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.mu.Lock()
		s.tokens[i] = append(s.tokens[i], token)
		s.mu.Unlock()
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestNoReceiptIsLostWhenTheHubIsKilled kills a hub that ends sessions fifty times, wherever it is. Then every session that it had said to be
// over has a receipt of every service, every receipt is confirmed, and every service got at least one good logout token for every session;
// those that it got again are tokens of their own, and end nothing twice.
func TestNoReceiptIsLostWhenTheHubIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts fifty hubs")
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into starting hubs
			k := killed{DSN: dsn(t), Dir: t.TempDir()}
			heard := &told{tokens: make([][]string, 3)}
			for i := range heard.tokens {
				k.Services = append(k.Services, heard.service(t, i))
			}
			if _, db, err := k.open(t.Context()); err != nil { // keys and tables
				t.Fatal(err)
			} else if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			var sessions []string
			for k.Round = range killLoops {
				sessions = append(sessions, k.kill(t)...)
			}
			k.Round = killLoops + 20 // the longest pause between two tries is over
			heard.mu.Lock()
			heard.calm = true
			heard.mu.Unlock()
			k.settle(t, sessions, heard)
		})
	}
}

// kill runs a hub, kills it at some moment, and returns the sessions that it had said to be over by then.
func (k killed) kill(t *testing.T) (ended []string) {
	t.Helper()
	order, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+string(order))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if first, err := lines.ReadString('\n'); err != nil || first != "ready\n" {
		t.Fatalf("%q, %v", first, err)
	}
	after := anyBelow(t, killAfter)
	for {
		if len(ended) == after { // counted in what it did, so that a slow machine kills it no earlier
			time.AfterFunc(time.Duration(anyBelow(t, int(killLate))), func() { _ = cmd.Process.Kill() })
		}
		line, err := lines.ReadString('\n')
		if err != nil { // a line that was cut says nothing
			break
		}
		ended = append(ended, strings.TrimSpace(line))
	}
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err == nil {
		t.Error("the hub ended by itself")
	}
	return ended
}

func anyBelow(t *testing.T, n int) int {
	t.Helper()
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		t.Fatal(err)
	}
	return int(i.Int64())
}

// settle runs a last hub until nothing is pending, and looks at what there is.
func (k killed) settle(t *testing.T, sessions []string, heard *told) {
	t.Helper()
	h, db, err := k.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Run(ctx) })
	count := func(where string) (n int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM logout_delivery`+where).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for begun := time.Now(); count(` WHERE state = 'pending'`) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("%d are pending still", count(` WHERE state = 'pending'`))
		}
	}
	stop()
	running.Wait()
	if n := count(` WHERE state <> 'confirmed'`); n > 0 {
		t.Errorf("%d receipts are not confirmed", n)
	}
	type event struct {
		SID string `json:"sid"`
		Aud string `json:"aud"`
		JTI string `json:"jti"`
	}
	seen, good, repeated := map[string]bool{}, map[string]int{}, 0
	for i, tokens := range heard.tokens {
		for _, raw := range tokens {
			payload, err := h.Keys.Verify(raw, "logout+jwt", keys.ES256)
			if err != nil {
				t.Fatal(err)
			}
			var e event
			if err := json.Unmarshal(payload, &e); err != nil || e.Aud != string(k.clients()[i]) || seen[e.JTI] {
				t.Fatalf("%s, sent before %v, %v", payload, seen[e.JTI], err)
			}
			seen[e.JTI] = true
			if good[e.Aud+e.SID]++; good[e.Aud+e.SID] > 1 {
				repeated++
			}
		}
	}
	for _, session := range sessions {
		for _, id := range k.clients() {
			if good[string(id)+session] == 0 {
				t.Errorf("%s was never told of %s", id, session)
			}
		}
	}
	receipts := count(``)
	if receipts < 3*len(sessions) || len(good) != receipts || len(sessions) < killLoops {
		t.Errorf("%d sessions over, %d receipts, %d pairs of service and session told", len(sessions), receipts, len(good))
	}
	if err := h.Audit.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("%d hubs killed: %d sessions over, %d receipts, %d told more than once", killLoops, len(sessions), receipts, repeated)
}
