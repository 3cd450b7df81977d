package cardauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

var (
	documentBytes = []byte("令和7年分 所得税の確定申告書\n")
	document      = ades.NewDocument("令和7年分 所得税の確定申告書", sha256.Sum256(documentBytes))
)

// notary is a hub's judging of signatures, in the world of the login tests.
type notary struct {
	*world
	*SigningVerifier
	requests *SignatureRequests
}

func newNotary(t testing.TB) *notary {
	t.Helper()
	w := newWorld(t, nil)
	return notaryIn(t, w, w.challenges.deps.Store.(ephemeral.Store))
}

func notaryIn(t testing.TB, w *world, store ephemeral.Store) *notary {
	t.Helper()
	anchors, err := ParseSigningAnchors(Test, testPKI(t).Sign().PEM())
	if err != nil {
		t.Fatal(err)
	}
	revocation, err := NewRevocation(RevocationDeps{Now: w.clock, OCSP: w.address + "/ocsp", CRL: w.address + "/crl", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	n := &notary{world: w, requests: NewSignatureRequests(Deps{Store: store, Sign: jwt, Issuer: hubIssuer, Now: w.clock})}
	n.SigningVerifier = NewSigningVerifier(SigningDeps{Requests: n.requests, Anchors: anchors, Revocation: revocation, Now: w.clock, Digest: digest})
	return n
}

func (n *notary) ask(t testing.TB, d *ades.Document) string {
	t.Helper()
	a := SignatureAsk{ClientID: "etax", ClientName: "国税電子申告 e-Tax", RedirectHost: "etax.example", Purpose: ades.PurposeRelink, Bound: bound, Document: d}
	if d != nil {
		a.Purpose = ades.PurposeDocument
	}
	id, err := n.requests.Issue(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// signer is what an honest card app would sign, before somebody changes it.
type signer struct {
	statement ades.Statement
	leaf      *cardtest.Leaf
	at        time.Time
}

func (n *notary) honestly(t testing.TB, id string, leaf *cardtest.Leaf) *signer {
	t.Helper()
	compact, err := n.requests.JWT(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c challengeClaims
	if err = json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return &signer{leaf: leaf, at: n.clock(), statement: ades.Statement{
		Audience: c.Issuer, Request: ades.RequestDigest(compact), Nonce: c.Nonce, Purpose: c.Purpose, ClientID: c.ClientID,
		RedirectHost: c.RedirectHost, Document: c.Document,
	}}
}

func (s *signer) sign(t testing.TB, sum [sha256.Size]byte) []byte {
	t.Helper()
	signature, err := rsa.SignPKCS1v15(nil, s.leaf.Key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func (s *signer) body(t testing.TB) []byte {
	t.Helper()
	jws, err := ades.NewJWS(s.statement, s.leaf.Certificate.Raw, s.at)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"jws": jws.Seal(s.sign(t, jws.Digest()))}
	if s.statement.Document != nil {
		cms, err := ades.NewCMS(s.statement.Document.Sum(), s.leaf.Certificate.Raw, s.at)
		if err != nil {
			t.Fatal(err)
		}
		out["cms_signature"] = b64(s.sign(t, cms.Digest()))
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (n *notary) judge(ctx context.Context, id string, body []byte) (Signed, error) {
	u, err := ParseSignature(body)
	if err != nil {
		return Signed{}, err
	}
	return n.SigningVerifier.Verify(ctx, id, u)
}

func TestGoodSignatureIsAccepted(t *testing.T) {
	n := newNotary(t)
	leaf := signingLeaf(t, nil)
	id := n.ask(t, &document)
	s, err := n.judge(t.Context(), id, n.honestly(t, id, leaf).body(t))
	if err != nil {
		t.Fatal(err)
	}
	if s.Bound != bound || s.Holder.Name != taro.Name || s.Fresh.Source != "ocsp" || !s.At.Equal(noon) || s.CMS == nil {
		t.Errorf("%+v", s)
	}
	if login, err := n.login(t, issue(t, nil)); err != nil || login.Binding() == s.Binding {
		t.Errorf("binding of a login: %v", err)
	}
	if h := s.Handle(); h.IssuerKeyID() != s.Binding.IssuerKeyID || !h.NotAfter().Equal(leaf.Certificate.NotAfter) {
		t.Errorf("handle of another certificate: %s, %v", h.IssuerKeyID(), h.NotAfter())
	}
}

func TestSignatureWithoutADocumentShowsOnlyWhoItIs(t *testing.T) {
	n := newNotary(t)
	id := n.ask(t, nil)
	s, err := n.judge(t.Context(), id, n.honestly(t, id, signingLeaf(t, nil)).body(t))
	if err != nil || s.CMS != nil || s.Holder.Address != taro.Address {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRefusedSignatures(t *testing.T) {
	n := newNotary(t)
	good := signingLeaf(t, nil)
	other := ades.NewDocument(document.Name, sha256.Sum256([]byte("another")))
	renamed := document
	renamed.Name = "見積書"
	for name, c := range map[string]struct {
		leaf  *cardtest.Leaf
		alter func(*signer)
		want  Reason
	}{
		"swapped document":        {good, func(s *signer) { s.statement.Document = &other }, DocumentMismatch},
		"renamed document":        {good, func(s *signer) { s.statement.Document = &renamed }, DocumentMismatch},
		"no document":             {good, func(s *signer) { s.statement.Document = nil }, DocumentMismatch},
		"other nonce":             {good, func(s *signer) { s.statement.Nonce = random() }, ChallengeMismatch},
		"other request":           {good, func(s *signer) { s.statement.Request = random() }, ChallengeMismatch},
		"other hub":               {good, func(s *signer) { s.statement.Audience = "https://elsewhere.example" }, ClaimMismatch},
		"other service":           {good, func(s *signer) { s.statement.ClientID = "shop" }, ClaimMismatch},
		"other place":             {good, func(s *signer) { s.statement.RedirectHost = "shop.example" }, ClaimMismatch},
		"other purpose":           {good, func(s *signer) { s.statement.Purpose = ades.PurposeRelink }, ClaimMismatch},
		"signed an hour ago":      {good, func(s *signer) { s.at = s.at.Add(-time.Hour) }, ClaimMismatch},
		"signed in an hour":       {good, func(s *signer) { s.at = s.at.Add(time.Hour) }, ClaimMismatch},
		"certificate for logins":  {issue(t, nil), nil, CertificateForLogin},
		"authority's certificate": {&cardtest.Leaf{Certificate: testPKI(t).Sign().Certificate(), Key: good.Key}, nil, CertificateIsCA},
		"expired":                 {signingLeaf(t, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }), nil, CertificateExpired},
		"not yet valid":           {signingLeaf(t, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Hour) }), nil, CertificateNotYetValid},
		"other key": {&cardtest.Leaf{Certificate: good.Certificate, Key: testPKIKey(t)}, nil,
			SignatureInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			id := n.ask(t, &document)
			s := n.honestly(t, id, c.leaf)
			if c.alter != nil {
				c.alter(s)
			}
			_, err := n.judge(t.Context(), id, s.body(t))
			wantReason(t, err, c.want)
		})
	}
	if asked, _ := n.responder.Asked(); asked != 0 {
		t.Error("asked about revocation before everything else was judged")
	}
}

// testPKIKey is a key that is not the shared one.
func testPKIKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	card, err := testPKI(t).Sign().IssueSign(cardtest.Profile{Person: taro, NotBefore: noon, NotAfter: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return card.Key
}

// A signature made for one request is worth nothing at another, even of the same document.
func TestSignatureOfAnotherRequestIsRefused(t *testing.T) {
	n := newNotary(t)
	mine, theirs := n.ask(t, &document), n.ask(t, &document)
	body := n.honestly(t, theirs, signingLeaf(t, nil)).body(t)
	_, err := n.judge(t.Context(), mine, body)
	wantReason(t, err, ChallengeMismatch)
}

// The CMS is signed for itself: one taken from elsewhere does not come along with a good JWS.
func TestForeignCMSSignatureIsRefused(t *testing.T) {
	n := newNotary(t)
	leaf := signingLeaf(t, nil)
	id := n.ask(t, &document)
	s := n.honestly(t, id, leaf)
	var mine, old map[string]string
	if err := json.Unmarshal(s.body(t), &mine); err != nil {
		t.Fatal(err)
	}
	s.at = s.at.Add(-time.Hour)
	if err := json.Unmarshal(s.body(t), &old); err != nil {
		t.Fatal(err)
	}
	mine["cms_signature"] = old["cms_signature"]
	body, err := json.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.judge(t.Context(), id, body)
	wantReason(t, err, SignatureInvalid)
}

// Members in another order are the same JSON and other bytes.
func TestOnlyTheBytesThatWereToBeSignedCount(t *testing.T) {
	n := newNotary(t)
	leaf := signingLeaf(t, nil)
	id := n.ask(t, nil)
	s := n.honestly(t, id, leaf)
	jws, err := ades.NewJWS(s.statement, leaf.Certificate.Raw, s.at)
	if err != nil {
		t.Fatal(err)
	}
	head, payload, _ := strings.Cut(jws.Input(), ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	input := head + "." + b64(append(bytes.TrimSuffix(raw, []byte("}")), " }"...))
	body, err := json.Marshal(map[string]string{"jws": input + "." + b64(s.sign(t, sha256.Sum256([]byte(input))))})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.judge(t.Context(), id, body)
	wantReason(t, err, ClaimMismatch)
}

// The usual state of somebody who has just moved: the card still logs in, and signs no more.
func TestRevokedSignatureCertificateLeavesTheLoginAlone(t *testing.T) {
	n := newNotary(t)
	signing, auth := signingLeaf(t, nil), issue(t, nil)
	if err := testPKI(t).Sign().Revoke(signing.Serial(), 3); err != nil { // affiliationChanged: the recorded facts changed
		t.Fatal(err)
	}
	id := n.ask(t, &document)
	_, err := n.judge(t.Context(), id, n.honestly(t, id, signing).body(t))
	wantReason(t, err, CertificateRevoked)
	i, err := n.login(t, auth)
	wantAccepted(t, i, err, "ocsp")
}

func TestSignatureNeedsAnAnswerAboutRevocation(t *testing.T) {
	n := newNotary(t)
	n.responder.BehaveOCSP(cardtest.OCSPServerError)
	n.responder.BehaveCRL(cardtest.CRLMissing)
	id := n.ask(t, &document)
	_, err := n.judge(t.Context(), id, n.honestly(t, id, signingLeaf(t, nil)).body(t))
	wantReason(t, err, RevocationUnavailable)
}

func TestChallengesAndSignatureRequestsDoNotMix(t *testing.T) {
	n := newNotary(t)
	challenge, request := n.challenge(t), n.ask(t, &document)
	if _, err := n.challenges.JWT(t.Context(), request); err == nil {
		t.Error("a signature request is served as a challenge")
	}
	if _, err := n.requests.JWT(t.Context(), challenge); err == nil {
		t.Error("a challenge is served as a signature request")
	}
	if _, err := ParseResponse(n.honestly(t, request, signingLeaf(t, nil)).body(t)); err == nil {
		t.Error("a signature is taken for a login")
	}
}

func TestSignatureRequestsSayWhatIsSigned(t *testing.T) {
	n := newNotary(t)
	broken := document
	broken.Digest = "short"
	for _, a := range []SignatureAsk{
		{Purpose: ades.PurposeDocument}, {Purpose: ades.PurposeRelink, Document: &document}, {Purpose: "", Document: &document},
		{Purpose: ades.PurposeDocument, Document: &broken},
	} {
		if _, err := n.requests.Issue(t.Context(), a); err == nil {
			t.Errorf("%+v", a)
		}
	}
}

func TestOneSignatureOfAHundredPostsCounts(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		w := &world{now: noon}
		w.build(t, store, nil)
		n := notaryIn(t, w, store)
		id := n.ask(t, &document)
		body := n.honestly(t, id, signingLeaf(t, nil)).body(t)
		var good, spent atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := n.judge(context.WithoutCancel(t.Context()), id, body)
				refusal, ok := errors.AsType[*Error](err)
				switch {
				case err == nil:
					good.Add(1)
				case ok && refusal.Reason == ChallengeSpent:
					spent.Add(1)
				default:
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if good.Load() != 1 || spent.Load() != 99 {
			t.Errorf("%d counted, %d were told it is spent", good.Load(), spent.Load())
		}
	})
}

// What parses has a digest, a certificate and two signatures or one, and is otherwise Malformed.
func FuzzParseSignature(f *testing.F) {
	n := newNotary(f)
	leaf := signingLeaf(f, nil)
	for _, d := range []*ades.Document{nil, &document} {
		f.Add(n.honestly(f, n.ask(f, d), leaf).body(f))
	}
	f.Add([]byte(`{"jws":"a.b.c"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := ParseSignature(body)
		if err != nil {
			if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != Malformed {
				t.Fatal(err)
			}
			return
		}
		if (u.cms == nil) != (u.statement.Document == nil) || len(u.signature) != signatureLen || len(u.certificate) == 0 {
			t.Fatalf("%+v", u)
		}
		if d := u.statement.Document; d != nil && d.Check() != nil {
			t.Fatal(d.Check())
		}
	})
}
