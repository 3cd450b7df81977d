package clients

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// issuerOf issues certificates.
type issuerOf struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// certify makes a certificate of the template and its key; without an issuer it is signed by itself.
func certify(t testing.TB, c *clock, template x509.Certificate, key crypto.Signer, by *issuerOf) *issuerOf {
	t.Helper()
	if key == nil {
		var err error
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = c.now().Add(-time.Hour), c.now().Add(time.Hour)
	}
	template.SerialNumber = big.NewInt(c.now().UnixNano())
	if by == nil {
		by = &issuerOf{&template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, by.cert, key.Public(), by.key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &issuerOf{cert, key}
}

func authority(t testing.TB, c *clock, name string, by *issuerOf) *issuerOf {
	t.Helper()
	return certify(t, c, x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: c.now().Add(-time.Hour), NotAfter: c.now().Add(24 * time.Hour),
	}, nil, by)
}

func shown(t testing.TB, id ID, more url.Values, chain ...*issuerOf) Credentials {
	t.Helper()
	form := url.Values{"client_id": {string(id)}}
	for k, v := range more {
		form[k] = v
	}
	cred, err := ParseCredentials(http.Header{}, form)
	must(t, err)
	var certs []*x509.Certificate
	for _, c := range chain {
		certs = append(certs, c.cert)
	}
	return cred.WithCertificates(certs)
}

// RFC 8705 §2.1: chain, time, purpose and the one registered name.
func TestCertificateOfAnAuthorityProvesItsClient(t *testing.T) {
	ctx, c := t.Context(), newClock()
	root, other := authority(t, c, "root", nil), authority(t, c, "other", nil)
	between := authority(t, c, "between", root)
	trusted := x509.NewCertPool()
	trusted.AddCert(root.cert)
	db := sqldbtest.Open(t)
	r, err := Open(ctx, Deps{DB: db, Now: c.now, Authorities: trusted})
	must(t, err)
	for id, more := range map[ID]map[string]any{
		"bank":  {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=bank,O=Bank\\, Inc.,C=JP"},
		"host":  {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "host.example"},
		"basic": nil, "public": {"token_endpoint_auth_method": "none"},
	} {
		secret := keys.RandomSecret()
		given := &secret
		if id != "basic" {
			given = nil
		}
		_, err := r.put(ctx, metadata(t, id, more), given)
		must(t, err)
	}
	subject := pkix.Name{Country: []string{"JP"}, Organization: []string{"Bank, Inc."}, CommonName: "bank"}
	leaf := func(change func(*x509.Certificate), by *issuerOf) *issuerOf {
		template := x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if change != nil {
			change(&template)
		}
		return certify(t, c, template, nil, by)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	good := leaf(nil, root)
	for name, tt := range map[string]struct {
		cred Credentials
		want Reason
	}{
		"good":                       {shown(t, "bank", nil, good), 0},
		"without extended key usage": {shown(t, "bank", nil, leaf(func(x *x509.Certificate) { x.ExtKeyUsage = nil }, root)), 0},
		"through another":            {shown(t, "bank", nil, leaf(nil, between), between), 0},
		"through another, unshown":   {shown(t, "bank", nil, leaf(nil, between)), BadCertificate},
		"for servers only":           {shown(t, "bank", nil, leaf(func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, root)), BadCertificate},
		"of a strange authority":     {shown(t, "bank", nil, leaf(nil, other)), BadCertificate},
		"with a strange authority":   {shown(t, "bank", nil, leaf(nil, other), other), BadCertificate},
		"signed by itself":           {shown(t, "bank", nil, leaf(nil, nil)), BadCertificate},
		"expired": {shown(t, "bank", nil, leaf(func(x *x509.Certificate) {
			x.NotBefore, x.NotAfter = c.now().Add(-2*time.Hour), c.now().Add(-time.Minute)
		}, root)), BadCertificate},
		"not valid yet":               {shown(t, "bank", nil, leaf(func(x *x509.Certificate) { x.NotBefore, x.NotAfter = c.now().Add(time.Minute), c.now().Add(time.Hour) }, root)), BadCertificate},
		"of another name":             {shown(t, "bank", nil, leaf(func(x *x509.Certificate) { x.Subject.CommonName = "bank2" }, root)), BadCertificate},
		"with one attribute more":     {shown(t, "bank", nil, leaf(func(x *x509.Certificate) { x.Subject.Locality = []string{"Tokyo"} }, root)), BadCertificate},
		"issued by a client":          {shown(t, "bank", nil, leaf(nil, good), good), BadCertificate},
		"with a small key":            {shown(t, "bank", nil, certify(t, c, x509.Certificate{Subject: subject}, weak, root)), BadCertificate},
		"by host name":                {shown(t, "host", nil, leaf(func(x *x509.Certificate) { x.DNSNames = []string{"else.example", "host.example"} }, root)), 0},
		"by host name with a *":       {shown(t, "host", nil, leaf(func(x *x509.Certificate) { x.DNSNames = []string{"*.example"} }, root)), BadCertificate},
		"host name as common name":    {shown(t, "host", nil, leaf(func(x *x509.Certificate) { x.Subject.CommonName = "host.example" }, root)), BadCertificate},
		"none shown":                  {shown(t, "bank", nil), MethodMismatch},
		"and a secret beside":         {shown(t, "bank", url.Values{"client_secret": {"x"}}, good), MethodMismatch},
		"in place of a secret":        {shown(t, "basic", nil, good), MethodMismatch},
		"by a public client":          {shown(t, "public", nil, good), 0},
		"by a client that is unknown": {shown(t, "nobody", nil, good), UnknownClient},
	} {
		got, err := r.Authenticate(ctx, tt.cred, AssertionRules{})
		if reasonOf(err) != tt.want || (err == nil) != (tt.want == 0) || (got != nil) != (tt.want == 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
	closed := openRegistry(t, db, c, nil)
	if _, err := closed.Authenticate(ctx, shown(t, "bank", nil, good), AssertionRules{}); reasonOf(err) != BadCertificate {
		t.Errorf("a hub without authorities: %v", err)
	}
	if len(closed.TLSMethods()) != 1 || len(r.TLSMethods()) != 2 {
		t.Errorf("methods %v, %v", closed.TLSMethods(), r.TLSMethods())
	}
}

func x5c(t testing.TB, of ...*issuerOf) json.RawMessage {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, i := range of {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: i.key.Public(), Certificates: []*x509.Certificate{i.cert}})
	}
	b, err := json.Marshal(set)
	must(t, err)
	return b
}

// RFC 8705 §2.2: the certificate is one of those registered, byte for byte.
func TestSelfSignedCertificateProvesItsClient(t *testing.T) {
	ctx, c := t.Context(), newClock()
	first, second := certify(t, c, x509.Certificate{}, nil, nil), certify(t, c, x509.Certificate{}, nil, nil)
	stranger := certify(t, c, x509.Certificate{}, nil, nil)
	again := certify(t, c, x509.Certificate{Subject: pkix.Name{CommonName: "made anew"}}, first.key, nil)
	r := openRegistry(t, sqldbtest.Open(t), c, nil)
	_, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": x5c(t, first, second)}), nil)
	must(t, err)
	for name, tt := range map[string]struct {
		cert *issuerOf
		want Reason
	}{
		"one": {first, 0}, "the other": {second, 0}, "a stranger's": {stranger, BadCertificate}, "another with the same key": {again, BadCertificate},
	} {
		if _, err := r.Authenticate(ctx, shown(t, "a", nil, tt.cert), AssertionRules{}); reasonOf(err) != tt.want || (err == nil) != (tt.want == 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.pass(2 * time.Hour)
	if _, err := r.Authenticate(ctx, shown(t, "a", nil, first), AssertionRules{}); reasonOf(err) != BadCertificate {
		t.Errorf("expired: %v", err)
	}
}

// RFC 8705 §2.2.2: a client that publishes its certificates replaces one without telling the hub, and strangers cannot make the hub ask.
func TestSelfSignedCertificateByReference(t *testing.T) {
	ctx, c := t.Context(), newClock()
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	first, second := certify(t, c, x509.Certificate{}, nil, nil), certify(t, c, x509.Certificate{}, large, nil)
	p := newPublisher(t, says(x5c(t, first)))
	r := openRegistry(t, sqldbtest.Open(t), c, fetcher(t, c, p))
	_, err = r.put(ctx, metadata(t, "a", map[string]any{
		"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks_uri": p.URL + "/jwks", "development": true,
	}), nil)
	must(t, err)
	try := func(cert *issuerOf) error {
		_, err := r.Authenticate(ctx, shown(t, "a", nil, cert), AssertionRules{})
		return err
	}
	must(t, try(first))
	p.set(says(x5c(t, second)))
	p.asked.Store(0)
	for range 5 {
		if err := try(second); reasonOf(err) != BadCertificate {
			t.Errorf("within 30 s: %v", err)
		}
	}
	if got := p.asked.Load(); got != 0 {
		t.Errorf("asked %d times", got)
	}
	c.pass(retryAfter)
	must(t, try(second))
	if err := try(first); reasonOf(err) != BadCertificate {
		t.Errorf("taken out of use: %v", err)
	}
	if got := p.asked.Load(); got != 1 {
		t.Errorf("asked %d times, not once", got)
	}
}
