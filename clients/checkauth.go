package clients

import (
	"slices"

	"github.com/tsunagu-id/tsunagu/keys"
)

func checkAuthentication(m *Metadata, faults *FieldErrors) {
	checkOneOf(faults, "token_endpoint_auth_method", string(m.TokenEndpointAuthMethod),
		string(SecretBasic), string(SecretPost), string(PrivateKeyJWT), string(TLSClientAuth), string(SelfSignedTLS), string(None))
	if m.TokenEndpointAuthSigningAlg != "" {
		checkAlg(faults, "token_endpoint_auth_signing_alg", m.TokenEndpointAuthSigningAlg)
		if m.TokenEndpointAuthMethod != PrivateKeyJWT {
			faults.add("token_endpoint_auth_signing_alg", "has no meaning without private_key_jwt", "leave it out")
		}
	}
	if m.CertificateBound && m.DPoPBound {
		faults.add("dpop_bound_access_tokens", "stands beside tls_client_certificate_bound_access_tokens", "choose one key that access tokens are bound to")
	}
}

// checkKeys judges the client's keys, and whether they are there for what needs
// them.
func checkKeys(m *Metadata, faults *FieldErrors) {
	signs := m.TokenEndpointAuthMethod == PrivateKeyJWT
	encrypted := m.IDTokenEncryption.Alg != "" || m.UserinfoEncryption.Alg != ""
	switch none := m.JWKS == nil && m.JWKSURI == ""; { // RFC 7591 §2: not both
	case m.JWKS != nil && m.JWKSURI != "":
		faults.add("jwks_uri", "stands beside jwks", "keep one of the two")
	case none && signs:
		faults.add("jwks", "is missing, as is jwks_uri", "give the public keys that private_key_jwt is verified with")
	case none && m.TokenEndpointAuthMethod == SelfSignedTLS:
		faults.add("jwks", "is missing, as is jwks_uri", "give the certificates in the x5c members of keys")
	case none && (m.RequireSignedRequestObject || m.RequestObjectSigningAlg != ""):
		faults.add("jwks", "is missing, as is jwks_uri", "give the public keys that request objects are verified with")
	case none && encrypted:
		faults.add("jwks", "is missing, as is jwks_uri", "give the public key to encrypt with")
	}
	if m.JWKS == nil {
		return
	}
	read := keys.ParsePublicSet
	if m.TokenEndpointAuthMethod == SelfSignedTLS {
		read = keys.ReadPublicSet
	}
	set, err := read(m.JWKS)
	if err != nil {
		faults.add("jwks", "is refused: "+err.Error(), "publish RSA keys of 2048 to 4096 bits, P-256 or Ed25519 keys, public half only")
		return
	}
	verifies := func(algs []keys.Alg) bool {
		return slices.ContainsFunc(set.Algs(), func(a keys.Alg) bool { return slices.Contains(algs, a) })
	}
	if signs && !verifies(m.assertionAlgs()) {
		faults.add("jwks", "has no key for an algorithm that this client may sign with", "add a key for "+joinAlgs(m.assertionAlgs()))
	}
	if alg := m.RequestObjectSigningAlg; alg != "" && !verifies([]keys.Alg{alg}) {
		faults.add("jwks", "has no key for the request_object_signing_alg", "add a key for "+string(alg))
	}
	for _, e := range []Encryption{m.IDTokenEncryption, m.UserinfoEncryption} {
		if e.Alg != "" && !slices.Contains(set.KeyAlgs(), e.Alg) {
			faults.add("jwks", "has no key that answers can be encrypted to", "add one that fits the registered encryption")
			break
		}
	}
	if m.TokenEndpointAuthMethod == SelfSignedTLS && !set.HasCertificates() {
		faults.add("jwks", "has no certificate in an x5c member", "add the client's certificate to its key (RFC 8705 §2.2.2)")
	}
}

// assertionAlgs are the algorithms a client may sign its assertions with: the one
// it registered, or else all that its profile allows (FAPI 2.0 §5.4: no
// RSASSA-PKCS1-v1_5).
func (m *Metadata) assertionAlgs() []keys.Alg {
	if m.TokenEndpointAuthSigningAlg != "" {
		return []keys.Alg{m.TokenEndpointAuthSigningAlg}
	}
	if m.Profile == FAPI2 {
		return []keys.Alg{keys.ES256, keys.PS256, keys.EdDSA}
	}
	return keys.Algs()
}

func checkProfile(m *Metadata, faults *FieldErrors) {
	checkOneOf(faults, "profile", string(m.Profile), string(OIDC), string(FAPI2))
	if m.Profile != FAPI2 {
		return
	}
	// FAPI 2.0 Security Profile §5.3.2.1 and §5.4.1.
	if m.TokenEndpointAuthMethod != PrivateKeyJWT && !m.TokenEndpointAuthMethod.usesTLS() {
		faults.add("token_endpoint_auth_method", "is neither private_key_jwt nor a certificate, as profile fapi2 demands", "write private_key_jwt and publish keys")
	}
	if m.RequirePAR != nil && !*m.RequirePAR {
		faults.add("require_pushed_authorization_requests", "is false, which profile fapi2 forbids", "leave it out")
	}
	if m.RequirePKCE != nil && !*m.RequirePKCE {
		faults.add("require_pkce", "is false, which profile fapi2 forbids", "leave it out")
	}
	for _, f := range m.signatures() {
		if *f.alg == keys.RS256 {
			faults.add(f.name, "is RS256, which profile fapi2 forbids", "write ES256, PS256 or EdDSA")
		}
	}
}

// signature is a member that names a JWS algorithm.
type signature struct {
	name string
	alg  *keys.Alg
}

// signatures lists all such members.
func (m *Metadata) signatures() []signature {
	return []signature{
		{"token_endpoint_auth_signing_alg", &m.TokenEndpointAuthSigningAlg},
		{"id_token_signed_response_alg", &m.IDTokenSignedResponseAlg},
		{"userinfo_signed_response_alg", &m.UserinfoSignedResponseAlg},
		{"request_object_signing_alg", &m.RequestObjectSigningAlg},
		{"authorization_signed_response_alg", &m.AuthorizationSignedResponseAlg},
		{"introspection_signed_response_alg", &m.IntrospectionSignedResponseAlg},
	}
}

// checkAnswers judges the algorithms of what the client and the hub sign for each
// other. An unsigned request object ("none") is never accepted, so it cannot be
// registered either.
func checkAnswers(m *Metadata, faults *FieldErrors) {
	for _, f := range m.signatures() {
		if f.alg != &m.TokenEndpointAuthSigningAlg && (*f.alg != "" || f.alg == &m.IDTokenSignedResponseAlg) {
			checkAlg(faults, f.name, *f.alg)
		}
	}
	checkEncryption(faults, "id_token_encrypted_response", m.IDTokenEncryption)
	checkEncryption(faults, "userinfo_encrypted_response", m.UserinfoEncryption)
}

func checkEncryption(faults *FieldErrors, name string, e Encryption) {
	if e.Alg == "" {
		if e.Enc != "" {
			faults.add(name+"_enc", "stands without "+name+"_alg", "leave it out, or name both")
		}
		return
	}
	checkOneOf(faults, name+"_alg", string(e.Alg), texts(keys.KeyAlgs())...)
	checkOneOf(faults, name+"_enc", string(e.Enc), texts(keys.ContentEncs())...)
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
