package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/keys"
)

// selfSigned is a certificate with every kind of name.
func selfSigned(t testing.TB, subject pkix.Name) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	uri, err := url.Parse("https://rp.example/client")
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: subject, DNSNames: []string{"rp.example"}, URIs: []*url.URL{uri},
		IPAddresses: []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")}, EmailAddresses: []string{"desk@rp.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}

// certified is a key set with nothing but a certificate.
func certified(t testing.TB, cert *x509.Certificate) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": []any{map[string]any{ // of a type that verifies nothing here
		"kty": "OKP", "crv": "Ed448", "x": "AA", "x5c": []string{base64.StdEncoding.EncodeToString(cert.Raw)},
	}}})
	must(t, err)
	return b
}

// Each check of the metadata, by what it finds: "" means accepted.
func TestMetadataChecks(t *testing.T) {
	type change = map[string]any
	signing := jwks(t, newECKey(t, "a"))
	cert := certified(t, selfSigned(t, pkix.Name{CommonName: "rp"}))
	rsaKey := jwks(t, newRSAKey(t, "r", jose.RS256))
	jwt := change{"token_endpoint_auth_method": "private_key_jwt", "jwks": signing}
	tls := change{"token_endpoint_auth_method": "tls_client_auth"}
	service := change{"grant_types": []string{"client_credentials"}, "redirect_uris": []string{}, "scope": "service"}
	for _, c := range []struct {
		name string
		base change
		more change
		want string
	}{
		// Grants.
		{"client credentials alone need no addresses", service, nil, ""},
		{"the device grant alone needs none either", nil, change{"grant_types": []string{GrantDeviceCode}, "redirect_uris": []string{}}, ""},
		{"token exchange alone needs none either", nil, change{"grant_types": []string{GrantTokenExchange}, "redirect_uris": []string{}}, ""},
		{"a code needs addresses", nil, change{"redirect_uris": []string{}}, "redirect_uris"},
		{"no response type without a code", service, change{"response_types": []string{"code"}}, "response_types"},
		{"empty response types without a code", service, change{"response_types": []string{}}, ""},
		{"device and refresh", nil, change{"grant_types": []string{GrantDeviceCode, GrantRefreshToken}}, ""},
		{"client credentials yield no refresh token", service, change{"grant_types": []string{GrantClientCredentials, GrantRefreshToken}}, "grant_types"},
		{"a public client has no credentials", service, change{"token_endpoint_auth_method": "none"}, "grant_types"},
		{"a public client exchanges nothing", nil, change{"grant_types": []string{GrantTokenExchange}, "token_endpoint_auth_method": "none"}, "grant_types"},
		{"no openid for a service", service, change{"scope": "openid"}, "scope"},
		{"no service without client credentials", nil, change{"scope": "openid service"}, "scope"},
		{"rules of sessions", nil, change{"always_card": true, "session_idle": 60, "session_absolute": 86400, "session_class": "government"}, ""},
		{"a session nobody could use", nil, change{"session_idle": 59}, "session_idle"},
		{"a session without end", nil, change{"session_absolute": 86401}, "session_absolute"},
		{"no time at all", nil, change{"session_idle": 0}, "session_idle"},
		{"idle for longer than it lasts", nil, change{"session_idle": 600, "session_absolute": 300}, "session_idle"},
		{"a class nobody knows", nil, change{"session_class": "secret"}, "session_class"},
		{"rules of sessions where nobody signs in", service, change{"session_idle": 600}, "always_card"},
		{"scopes of claims", nil, change{"scope": "openid profile email address phone"}, ""},
		{"a sector document without addresses", service, change{"sector_identifier_uri": "https://rp.example/s"}, "sector_identifier_uri"},
		{"a sector document for a device", nil, change{"grant_types": []string{GrantAuthorizationCode, GrantDeviceCode}, "sector_identifier_uri": "https://rp.example/s"}, "sector_identifier_uri"},

		// Certificates (RFC 8705 §2).
		{"no name", tls, nil, "tls_client_auth_subject_dn"},
		{"subject", tls, change{"tls_client_auth_subject_dn": "CN=rp,O=Example\\, Inc.,C=JP"}, ""},
		{"subject of another syntax", tls, change{"tls_client_auth_subject_dn": "/C=JP/CN=rp"}, "tls_client_auth_subject_dn"},
		{"dns", tls, change{"tls_client_auth_san_dns": "rp.example"}, ""},
		{"dns with a wildcard", tls, change{"tls_client_auth_san_dns": "*.rp.example"}, "tls_client_auth_san_dns"},
		{"uri", tls, change{"tls_client_auth_san_uri": "spiffe://rp.example/a"}, ""},
		{"relative uri", tls, change{"tls_client_auth_san_uri": "rp"}, "tls_client_auth_san_uri"},
		{"ip", tls, change{"tls_client_auth_san_ip": "2001:db8::7"}, ""},
		{"ip that is none", tls, change{"tls_client_auth_san_ip": "192.0.2"}, "tls_client_auth_san_ip"},
		{"email", tls, change{"tls_client_auth_san_email": "desk@rp.example"}, ""},
		{"email that is none", tls, change{"tls_client_auth_san_email": "desk"}, "tls_client_auth_san_email"},
		{"two names", tls, change{"tls_client_auth_san_dns": "rp.example", "tls_client_auth_san_ip": "192.0.2.7"}, "tls_client_auth_san_ip"},
		{"a name for another method", jwt, change{"tls_client_auth_san_dns": "rp.example"}, "tls_client_auth_san_dns"},
		{"self-signed with a certificate", nil, change{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": cert}, ""},
		{"self-signed without a certificate", nil, change{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": signing}, "jwks"},
		{"self-signed without keys", nil, change{"token_endpoint_auth_method": "self_signed_tls_client_auth"}, "jwks"},
		{"self-signed by reference", nil, change{"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks_uri": "https://rp.example/jwks"}, ""},
		{"bound to two keys", jwt, change{"dpop_bound_access_tokens": true, "tls_client_certificate_bound_access_tokens": true}, "dpop_bound_access_tokens"},

		// Request objects.
		{"a signed request object", nil, change{"jwks": signing, "request_object_signing_alg": "ES256", "require_signed_request_object": true}, ""},
		{"an unsigned one", nil, change{"jwks": signing, "request_object_signing_alg": "none"}, "jwks, request_object_signing_alg"},
		{"no keys for request objects", nil, change{"require_signed_request_object": true}, "jwks"},
		{"no key of the algorithm", jwt, change{"request_object_signing_alg": "PS256"}, "jwks"},
		{"RS256 with fapi2", jwt, change{"profile": "fapi2", "authorization_signed_response_alg": "RS256"}, "authorization_signed_response_alg"},
		{"request addresses", nil, change{"request_uris": []string{"https://rp.example/r#0a1b", "https://rp.example/s"}}, ""},
		{"request address without encryption", nil, change{"request_uris": []string{"http://rp.example/r"}}, "request_uris[0]"},
		{"request address twice", nil, change{"request_uris": []string{"https://rp.example/r", "https://rp.example/r"}}, "request_uris[1]"},

		// Answers.
		{"signed answers", nil, change{"userinfo_signed_response_alg": "RS256", "authorization_signed_response_alg": "PS256", "introspection_signed_response_alg": "EdDSA"}, ""},
		{"answers without signature", nil, change{"userinfo_signed_response_alg": "none", "authorization_signed_response_alg": "none", "introspection_signed_response_alg": "HS256"},
			"userinfo_signed_response_alg, authorization_signed_response_alg, introspection_signed_response_alg"},
		{"encrypted", jwt, change{"id_token_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_alg": "ECDH-ES+A256KW", "userinfo_encrypted_response_enc": "A256GCM"}, ""},
		{"encrypted with RSA", nil, change{"jwks": rsaKey, "id_token_encrypted_response_alg": "RSA-OAEP-256"}, ""},
		{"encrypted with RSA but no such key", jwt, change{"id_token_encrypted_response_alg": "RSA-OAEP-256"}, "jwks"},
		{"encrypted with RSA1_5", jwt, change{"id_token_encrypted_response_alg": "RSA1_5"}, "jwks, id_token_encrypted_response_alg"},
		{"encrypted with an unknown cipher", jwt, change{"userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A128CBC"}, "userinfo_encrypted_response_enc"},
		{"a cipher without a key algorithm", jwt, change{"id_token_encrypted_response_enc": "A256GCM"}, "id_token_encrypted_response_enc"},
		{"encrypted without keys", nil, change{"id_token_encrypted_response_alg": "ECDH-ES"}, "jwks"},
		{"a set of no use", nil, change{"jwks": cert}, "jwks"},

		// Front-channel logout §2: domain, port and scheme of a redirect address.
		{"front channel", nil, change{"frontchannel_logout_uri": "https://rp.example/bye?a=b", "frontchannel_logout_session_required": true}, ""},
		{"front channel, default port in full", nil, change{"frontchannel_logout_uri": "https://rp.example:443/bye"}, ""},
		{"front channel elsewhere", nil, change{"frontchannel_logout_uri": "https://www.rp.example/bye"}, "frontchannel_logout_uri"},
		{"front channel at another port", nil, change{"frontchannel_logout_uri": "https://rp.example:8443/bye"}, "frontchannel_logout_uri"},
		{"front channel over http", nil, change{"frontchannel_logout_uri": "http://rp.example/bye"}, "frontchannel_logout_uri"},
		{"front channel with a fragment", nil, change{"frontchannel_logout_uri": "https://rp.example/bye#"}, "frontchannel_logout_uri"},
		{"front channel session without address", nil, change{"frontchannel_logout_session_required": true}, "frontchannel_logout_session_required"},

		// Resources and details.
		{"resources", nil, change{"resources": []string{"https://api.example/tax", "urn:example:api"}}, ""},
		{"resource with a fragment", nil, change{"resources": []string{"https://api.example/#"}}, "resources[0]"},
		{"relative resource", nil, change{"resources": []string{"https://api.example/", "/tax"}}, "resources[1]"},
		{"resource with a space", nil, change{"resources": []string{"https://api.example/a b"}}, "resources[0]"},
		{"resource twice", nil, change{"resources": []string{"urn:a:b", "urn:a:b"}}, "resources[1]"},
		{"serves", nil, change{"serves": []string{"https://api.example/tax"}}, ""},
		{"serves a relative resource", nil, change{"serves": []string{"/tax"}}, "serves[0]"},
		{"a public client serves nothing", nil, change{"serves": []string{"urn:a:b"}, "token_endpoint_auth_method": "none"}, "serves"},
		{"detail types", nil, change{"authorization_details_types": []string{"tax_return"}}, ""},
		{"empty detail type", nil, change{"authorization_details_types": []string{""}}, "authorization_details_types[0]"},

		// What is only kept.
		{"software", nil, change{"software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "2.1", "logo_uri": "https://rp.example/logo.png"}, ""},
		{"software with a line break", nil, change{"software_id": "a\nb"}, "software_id"},
		{"picture by script", nil, change{"logo_uri": "javascript:alert(1)"}, "logo_uri"},

		// FAPI 2.0 Security Profile §5.3.2.1.
		{"fapi2 with a certificate", tls, change{"profile": "fapi2", "tls_client_auth_san_dns": "rp.example"}, ""},
		{"fapi2 with a self-signed certificate", nil, change{"profile": "fapi2", "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": cert}, ""},
		{"fapi2 with a secret", nil, change{"profile": "fapi2", "token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := change{}
			for _, part := range []change{c.base, c.more} {
				for name, value := range part {
					all[name] = value
				}
			}
			m, err := ParseMetadata(document(t, "rp", all))
			if got := faultsOf(err); got != c.want || (c.want == "") != (err == nil) {
				t.Fatalf("faults %q, want %q: %v", got, c.want, err)
			}
			if err == nil {
				roundTrip(t, m)
			}
		})
	}
}

func TestClientSaysHowItIsAnswered(t *testing.T) {
	of := func(more map[string]any) *Client {
		c, err := newClient(metadata(t, "rp", more), 1, false, nil)
		must(t, err)
		return c
	}
	key := jwks(t, newECKey(t, "a"))
	plain := of(map[string]any{"id_token_signed_response_alg": "PS256"})
	if _, encrypted := plain.IDTokenEncryption(); encrypted || plain.AuthorizationResponseAlg() != keys.PS256 || plain.UserinfoAlg() != "" || plain.IntrospectionAlg() != "" ||
		plain.DPoPBound() || plain.CertificateBound() || plain.RequireSignedRequestObject() || plain.TLSIdentity() != (TLSIdentity{}) {
		t.Errorf("%+v", plain.m)
	}
	fapi := map[string]any{"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": key, "authorization_signed_response_alg": "EdDSA", "userinfo_encrypted_response_alg": "ECDH-ES"}
	c := of(fapi)
	if e, ok := c.UserinfoEncryption(); !c.DPoPBound() || c.AuthorizationResponseAlg() != keys.EdDSA || !ok || e != (Encryption{keys.ECDHES, keys.A128CBCHS256}) {
		t.Errorf("%+v", c.m)
	}
	fapi["tls_client_certificate_bound_access_tokens"] = true
	if c := of(fapi); c.DPoPBound() || !c.CertificateBound() {
		t.Errorf("bound to a certificate, and to DPoP %v", c.DPoPBound())
	}
}

// Whoever is told of a citizen elsewhere than at its redirect addresses could name
// anybody's host, and would read that service's subjects.
func TestDeviceClientIsASectorOfItsOwn(t *testing.T) {
	for _, grants := range [][]string{{GrantDeviceCode}, {GrantAuthorizationCode, GrantDeviceCode}} {
		for _, id := range []ID{"tv", "radio"} {
			m := metadata(t, id, map[string]any{"grant_types": grants, "redirect_uris": []string{"https://etax.example/callback"}})
			if got := m.sector(); got != "client:"+string(id) {
				t.Errorf("%v: %s", grants, got)
			}
		}
	}
}

func TestCertificateBearsTheName(t *testing.T) {
	cert := selfSigned(t, pkix.Name{Country: []string{"JP"}, Organization: []string{"Example, Inc."}, CommonName: " #rp=1"})
	for _, c := range []struct {
		name string
		id   TLSIdentity
		want bool
	}{
		{"subject", TLSIdentity{SubjectDN: `CN=\ #rp=1,O=Example\, Inc.,C=JP`}, true},
		{"subject with spaces", TLSIdentity{SubjectDN: `CN = \ #rp=1, O = Example\2C Inc., C = JP`}, true},
		{"subject by numbers", TLSIdentity{SubjectDN: `2.5.4.3=\20#rp\3d1,2.5.4.10=Example\, Inc.,2.5.4.6=#13024a50`}, true},
		{"subject in another order", TLSIdentity{SubjectDN: `C=JP,O=Example\, Inc.,CN=\ #rp=1`}, false},
		{"subject with less", TLSIdentity{SubjectDN: `CN=\ #rp=1,C=JP`}, false},
		{"subject in other letters", TLSIdentity{SubjectDN: `CN=\ #RP=1,O=Example\, Inc.,C=JP`}, false},
		{"subject as one RDN", TLSIdentity{SubjectDN: `CN=\ #rp=1+O=Example\, Inc.+C=JP`}, false},
		{"dns", TLSIdentity{DNS: "rp.example"}, true},
		{"dns of another", TLSIdentity{DNS: "p.example"}, false},
		{"uri", TLSIdentity{URI: "https://rp.example/client"}, true},
		{"uri of another", TLSIdentity{URI: "https://rp.example/client/"}, false},
		{"ip", TLSIdentity{IP: "192.0.2.7"}, true},
		{"ip of version 6", TLSIdentity{IP: "2001:0db8:0::7"}, true},
		{"ip of another", TLSIdentity{IP: "192.0.2.8"}, false},
		{"email", TLSIdentity{Email: "desk@rp.example"}, true},
		{"email of another", TLSIdentity{Email: "desk@p.example"}, false},
		{"no name", TLSIdentity{}, false},
	} {
		if got := c.id.Matches(cert); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if (TLSIdentity{DNS: "rp.example"}).Matches(nil) {
		t.Error("no certificate at all")
	}
}

func FuzzParseDN(f *testing.F) {
	for _, s := range []string{"CN=a", "CN=a,O=b+OU=c", `CN=a\,b\20`, "1.2.3=#0402ab", "CN=,", `CN=\`, "=", "CN=a ,  O=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dn, err := parseDN(s)
		if err != nil {
			return
		}
		if len(dn) == 0 || !dn.equal(dn) || !strings.Contains(s, "=") {
			t.Fatalf("%q: %+v", s, dn)
		}
		_ = (TLSIdentity{SubjectDN: s}).Matches(&x509.Certificate{RawSubject: []byte(s)})
	})
}
