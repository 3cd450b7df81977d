package clients

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

// TestBelievesWhatAuthenticateWould: what is kept of how a client was believed is enough to tell whether another version would believe it, and the
// answer is that of the very check, made with the same credentials at a registry that has that version.
func TestBelievesWhatAuthenticateWould(t *testing.T) {
	own, next, rsa := newECKey(t, "own"), newECKey(t, "next"), newRSAKey(t, "old", jose.RS256)
	secret := keys.RandomSecret()
	keyed := func(more map[string]any, of ...signing) map[string]any {
		out := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, of...)}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	basic := map[string]any{}
	versions := map[string]map[string]any{
		"the same":         keyed(nil, own, rsa),
		"without the key":  keyed(nil, next),
		"another alg":      keyed(map[string]any{"token_endpoint_auth_signing_alg": "ES256"}, own, rsa),
		"profile fapi2":    keyed(map[string]any{"profile": "fapi2"}, own, rsa),
		"by secret":        basic,
		"public":           {"token_endpoint_auth_method": "none"},
		"secret in a form": {"token_endpoint_auth_method": "client_secret_post"},
	}
	c := newClock()
	assertion := func(s signing, aud any) func(t *testing.T) Credentials {
		return func(t *testing.T) Credentials {
			return asserted("a", s.sign(t, "", claims(c, "a", map[string]any{"aud": aud})))
		}
	}
	for _, tt := range []struct {
		name    string
		version map[string]any
		cred    func(t *testing.T) Credentials
		refused map[string]string // version → member
	}{
		{"assertion", versions["the same"], assertion(own, issuer), map[string]string{
			"without the key": "jwks", "by secret": "token_endpoint_auth_method", "public": "token_endpoint_auth_method", "secret in a form": "token_endpoint_auth_method",
		}},
		{"assertion by an RSA key", versions["the same"], assertion(rsa, issuer), map[string]string{
			"without the key": "jwks", "another alg": "token_endpoint_auth_signing_alg", "profile fapi2": "profile",
			"by secret": "token_endpoint_auth_method", "public": "token_endpoint_auth_method", "secret in a form": "token_endpoint_auth_method",
		}},
		{"assertion for an endpoint", versions["the same"], assertion(own, issuer+"/token"), map[string]string{
			"without the key": "jwks", "profile fapi2": "profile",
			"by secret": "token_endpoint_auth_method", "public": "token_endpoint_auth_method", "secret in a form": "token_endpoint_auth_method",
		}},
		{"assertion for several", versions["the same"], assertion(own, []string{"https://other.example", issuer}), map[string]string{
			"without the key": "jwks", "profile fapi2": "profile",
			"by secret": "token_endpoint_auth_method", "public": "token_endpoint_auth_method", "secret in a form": "token_endpoint_auth_method",
		}},
		{"secret", basic, func(*testing.T) Credentials { return Credentials{id: "a", method: SecretBasic, proof: secret} }, map[string]string{
			"the same": "token_endpoint_auth_method", "without the key": "token_endpoint_auth_method", "another alg": "token_endpoint_auth_method",
			"profile fapi2": "token_endpoint_auth_method", "public": "token_endpoint_auth_method", "secret in a form": "token_endpoint_auth_method",
		}},
		{"nothing", versions["public"], func(*testing.T) Credentials { return Credentials{id: "a", method: None} }, map[string]string{
			"the same": "token_endpoint_auth_method", "without the key": "token_endpoint_auth_method", "another alg": "token_endpoint_auth_method",
			"profile fapi2": "token_endpoint_auth_method", "by secret": "token_endpoint_auth_method", "secret in a form": "token_endpoint_auth_method",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, store := t.Context(), ephemeraltest.Open(t)
			put := func(more map[string]any) (*Registry, *Client) {
				r := openRegistry(t, sqldbtest.Open(t), c, nil)
				given := &secret
				if m := more["token_endpoint_auth_method"]; m == "private_key_jwt" || m == "none" {
					given = nil
				}
				got, err := r.put(ctx, metadata(t, "a", more), given)
				must(t, err)
				return r, got
			}
			r, _ := put(tt.version)
			_, proof, err := r.AuthenticateBy(ctx, tt.cred(t), rules(store))
			must(t, err)
			for name, more := range versions {
				there, version := put(more)
				_, really := there.Authenticate(ctx, tt.cred(t), rules(store))
				told := r.Believes(ctx, version, proof)
				if reasonOf(told) != reasonOf(really) || (told == nil) != (really == nil) {
					t.Errorf("%s: told %v, really %v", name, told, really)
				}
				if want := tt.refused[name]; memberOf(told) != want || (told != nil) != (want != "") {
					t.Errorf("%s: %v comes of %q, want %q", name, told, memberOf(told), want)
				}
			}
		})
	}
}

// TestBelievesObjects: the same of request objects.
func TestBelievesObjects(t *testing.T) {
	own, next := newECKey(t, "own"), newECKey(t, "next")
	c := newClock()
	r := openRegistry(t, sqldbtest.Open(t), c, nil)
	version := func(more map[string]any, of ...signing) *Client {
		all := map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, of...)}
		for k, v := range more {
			all[k] = v
		}
		got, err := openRegistry(t, sqldbtest.Open(t), c, nil).put(t.Context(), metadata(t, "one", all), nil)
		must(t, err)
		return got
	}
	for _, claims := range []map[string]any{nil, {"exp": nil, "nbf": nil}, {"iss": nil}} {
		object := own.sign(t, "", objectClaims(c, "one", claims))
		_, proof, err := r.VerifyRequestObject(t.Context(), version(nil, own), object, RequestObjectRules{Issuer: issuer})
		must(t, err)
		for name, v := range map[string]*Client{
			"same": version(nil, own), "other key": version(nil, next), "other alg": version(map[string]any{"request_object_signing_alg": "PS256"}, own, newRSAKey(t, "ps", jose.PS256)),
			"strict": version(map[string]any{"profile": "fapi2"}, own),
		} {
			_, _, really := r.VerifyRequestObject(t.Context(), v, object, RequestObjectRules{Issuer: issuer})
			told := r.BelievesObject(t.Context(), v, proof)
			if reasonOf(told) != reasonOf(really) || (told == nil) != (really == nil) || told != nil && memberOf(told) == "" {
				t.Errorf("%v, %s: told %v of %q, really %v", claims, name, told, memberOf(told), really)
			}
		}
	}
}

// TestBelievesCertificates: and of certificates.
func TestBelievesCertificates(t *testing.T) {
	c := newClock()
	r := openRegistry(t, sqldbtest.Open(t), c, nil)
	one := certify(t, c, x509.Certificate{Subject: pkix.Name{CommonName: "bank"}}, nil, nil)
	cert := one.cert
	version := func(more map[string]any) *Client {
		got, err := openRegistry(t, sqldbtest.Open(t), c, nil).put(t.Context(), metadata(t, "a", more), nil)
		must(t, err)
		return got
	}
	named := func(dn string) *Client {
		return version(map[string]any{"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": dn})
	}
	issued := Proof{Method: TLSClientAuth, Certificate: cert.Raw}
	if err := r.Believes(t.Context(), named(cert.Subject.String()), issued); err != nil {
		t.Error(err)
	}
	if err := r.Believes(t.Context(), named("CN=another"), issued); reasonOf(err) != BadCertificate || memberOf(err) != "tls_client_auth_subject_dn" {
		t.Error(err)
	}
	if err := r.Believes(t.Context(), named("CN=another"), Proof{Method: TLSClientAuth, Certificate: []byte("x")}); reasonOf(err) != BadCertificate {
		t.Error(err)
	}
	own := Proof{Method: SelfSignedTLS, Certificate: cert.Raw}
	keyed := func(cert *issuerOf) *Client {
		return version(map[string]any{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": x5c(t, cert)})
	}
	if err := r.Believes(t.Context(), keyed(one), own); err != nil {
		t.Error(err)
	}
	if err := r.Believes(t.Context(), keyed(certify(t, c, x509.Certificate{Subject: pkix.Name{CommonName: "bank"}}, nil, nil)), own); reasonOf(err) != BadCertificate || memberOf(err) != "jwks" {
		t.Error(err)
	}
}

func memberOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Member
	}
	return ""
}
