package keys

// Embedded is what a self-signed proof said: a JWS whose key stands in its own header. It proves that whoever made it holds the key
// with that thumbprint, and nothing else.
type Embedded struct {
	Payload    []byte // exactly the bytes that were signed
	Thumbprint string // RFC 7638, SHA-256, base64url
	Alg        Alg
}

// VerifyEmbedded checks a compact JWS with the public key in its own "jwk" header (RFC 7515 §4.1.3), which is judged first. It is for
// proofs of possession (RFC 9449 §4.3) alone: who holds the key is for the caller to know.
func VerifyEmbedded(token, typ string, algs ...Alg) (Embedded, error) {
	in, err := parseToken(token, algs)
	if err != nil {
		return Embedded{}, err
	}
	if in.typ != mediaType(typ) {
		return Embedded{}, refuse(TypRefused, "typ is not "+typ)
	}
	jwk := in.jws.Signatures[0].Protected.JSONWebKey
	switch {
	case jwk == nil:
		return Embedded{}, refuse(KeyUnknown, "the header holds no key")
	case !jwk.IsPublic() || len(jwk.Certificates) > 0:
		return Embedded{}, refuse(KeyRefused, "the key in the header is not a bare public one")
	}
	if err := Judge(jwk.Key); err != nil {
		return Embedded{}, err
	}
	payload, err := in.jws.Verify(jwk.Key)
	if err != nil {
		return Embedded{}, refuse(SignatureInvalid, "")
	}
	thumbprint, err := Thumbprint(jwk.Key)
	if err != nil {
		return Embedded{}, err
	}
	return Embedded{Payload: payload, Thumbprint: thumbprint, Alg: in.alg}, nil
}
