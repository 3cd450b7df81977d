package cardauth

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	hubIssuer = "https://hub.example"
	bound     = "login-transaction-7"
)

// noon is when the tests take place; the authorities' clock stands still at it.
var noon = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)

var shared struct {
	once sync.Once
	dir  string
	pki  *cardtest.PKI
	leaf *cardtest.Leaf // a good certificate of Taro's
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// testPKI returns the authorities that all tests share; they may revoke what
// they issued themselves.
func testPKI(t testing.TB) *cardtest.PKI {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "cardauth"); shared.err != nil {
			return
		}
		if shared.pki, shared.err = cardtest.LoadOrCreatePKI(shared.dir, func() time.Time { return noon }, "http://127.0.0.1:1/ocsp"); shared.err == nil {
			shared.leaf, shared.err = shared.pki.Auth().IssueAuth(goodProfile(nil))
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.pki
}

var taro = cardtest.Person{
	Name: "見本　太郎", Address: "東京都千代田区見本町１丁目２番３号", Sex: "1", Birth: time.Date(1980, 2, 17, 0, 0, 0, 0, time.UTC),
	Place: cardtest.Place{Prefecture: "Tokyo-to", City: "Chiyoda-ku", Code: "13101"},
}

// goodProfile is a certificate issued two hundred days ago.
func goodProfile(alter func(*x509.Certificate)) cardtest.Profile {
	issued := noon.AddDate(0, 0, -200)
	p := cardtest.Profile{Person: taro, NotBefore: issued, NotAfter: taro.FifthBirthday(issued), Alter: alter}
	if shared.leaf != nil {
		p.Key = shared.leaf.Key // making keys is slow
	}
	return p
}

// issue makes a user-authentication certificate of one's own.
func issue(t testing.TB, alter func(*x509.Certificate)) *cardtest.Leaf {
	t.Helper()
	pki := testPKI(t)
	leaf, err := pki.Auth().IssueAuth(goodProfile(alter))
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// world is a hub's card verification with a responder on a loopback port.
type world struct {
	Verifier
	challenges *Challenges
	responder  *cardtest.Responder
	address    string
	now        time.Time // the hub's clock
	mu         sync.Mutex
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// digest stands in for the sealer's: keyed, with the purpose kept apart.
func digest(purpose string, data []byte) [32]byte {
	m := hmac.New(sha256.New, []byte("key of the test"))
	m.Write(append([]byte(purpose+"\x00"), data...))
	return [32]byte(m.Sum(nil))
}

// jwt stands in for the hub's key set: what is judged here is the response,
// for which the challenge is a string.
func jwt(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	header, err2 := json.Marshal(map[string]string{"alg": "ES256", "typ": typ})
	return b64(header) + "." + b64(payload) + "." + b64(make([]byte, 64)), errors.Join(err, err2)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// newWorld builds a hub on a SQLite file. adjust may change how it asks about
// revocation.
func newWorld(t testing.TB, adjust func(*RevocationDeps)) *world {
	t.Helper()
	w := &world{now: noon}
	store, err := ephemeral.NewSQL(t.Context(), sqldbtest.Open(t), w.clock)
	if err != nil {
		t.Fatal(err)
	}
	w.build(t, store, adjust)
	return w
}

func (w *world) build(t testing.TB, store ephemeral.Store, adjust func(*RevocationDeps)) {
	t.Helper()
	pki := testPKI(t)
	w.responder = pki.Responder()
	server := httptest.NewServer(w.responder)
	t.Cleanup(server.Close)
	w.address = server.URL
	anchors, err := ParseAnchors(Test, pki.Auth().PEM())
	if err != nil {
		t.Fatal(err)
	}
	deps := RevocationDeps{Now: w.clock, OCSP: server.URL + "/ocsp", CRL: server.URL + "/crl", Timeout: 5 * time.Second}
	if adjust != nil {
		adjust(&deps)
	}
	revocation, err := NewRevocation(deps)
	if err != nil {
		t.Fatal(err)
	}
	w.challenges = NewChallenges(Deps{Store: store, Sign: jwt, Issuer: hubIssuer, Now: w.clock})
	w.Verifier = *NewVerifier(VerifierDeps{
		Challenges: w.challenges, Anchors: anchors, Revocation: revocation, Now: w.clock, Digest: digest,
	})
}

// challenge issues a challenge like the hub does for a service.
func (w *world) challenge(t testing.TB) string {
	t.Helper()
	id, err := w.challenges.Issue(t.Context(), Request{
		ClientID: "etax", ClientName: "国税電子申告 e-Tax", RedirectHost: "etax.example", ACR: "phrh", Bound: bound,
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// answer is what an honest card app would send.
type answer struct {
	header map[string]any
	claims map[string]any
	key    *rsa.PrivateKey
}

func (w *world) honest(t testing.TB, id string, leaf *cardtest.Leaf) *answer {
	t.Helper()
	compact, err := w.challenges.JWT(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return honestTo(t, compact, leaf)
}

func honestTo(t testing.TB, compact string, leaf *cardtest.Leaf) *answer {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c challengeClaims
	if err = json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(compact))
	return &answer{
		header: map[string]any{"alg": "RS256", "typ": responseType, "x5c": []string{base64.StdEncoding.EncodeToString(leaf.Certificate.Raw)}},
		claims: map[string]any{
			"aud": c.Issuer, "nonce": c.Nonce, "challenge": b64(sum[:]), "client_id": c.ClientID,
			"redirect_host": c.RedirectHost, "acr": c.ACR, "iat": noon.Unix(),
		},
		key: leaf.Key,
	}
}

// input is the JWS signing input.
func (a *answer) input(t testing.TB) string {
	t.Helper()
	header, err := json.Marshal(a.header)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(a.claims)
	if err != nil {
		t.Fatal(err)
	}
	return b64(header) + "." + b64(claims)
}

// compact signs the answer.
func (a *answer) compact(t testing.TB) []byte {
	t.Helper()
	input := a.input(t)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(input + "." + b64(signature))
}

// submit parses and verifies a response.
func (w *world) submit(ctx context.Context, id string, body []byte) (Identity, error) {
	r, err := ParseResponse(body)
	if err != nil {
		return Identity{}, err
	}
	return w.Verify(ctx, id, r)
}

// login answers a fresh challenge with a certificate.
func (w *world) login(t testing.TB, leaf *cardtest.Leaf) (Identity, error) {
	t.Helper()
	id := w.challenge(t)
	return w.submit(t.Context(), id, w.honest(t, id, leaf).compact(t))
}

// wantReason asserts a refusal. Once the challenge is known it must name the
// login.
func wantReason(t testing.TB, err error, want Reason) {
	t.Helper()
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want refusal %v", err, want)
	}
	if refusal.Reason != want {
		t.Fatalf("refused for %v (%v), want %v", refusal.Reason, err, want)
	}
	if want != Malformed && want != ChallengeUnknown && refusal.Bound != bound {
		t.Errorf("refusal names login %q, want %q", refusal.Bound, bound)
	}
}

func wantAccepted(t testing.TB, i Identity, err error, source string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if i.Bound() != bound || i.Fresh().Source != source {
		t.Fatalf("bound %q, source %q; want %q, %q", i.Bound(), i.Fresh().Source, bound, source)
	}
}
