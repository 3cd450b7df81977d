package idp

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
)

// maxProxyCertificate bounds the header; a certificate with an RSA key of 4096 bits takes about 3 KiB in it.
const maxProxyCertificate = 16 << 10

var errProxyCertificate = errors.New("neither an RFC 9440 byte sequence nor one percent-encoded PEM certificate")

// parseProxyCertificate reads the header of a TLS proxy in either of two forms: a byte sequence (RFC 9440 §2.1), or PEM in
// percent-encoding, as nginx's $ssl_client_escaped_cert has it. An empty header means that the client showed none.
func parseProxyCertificate(value string) (*x509.Certificate, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil, nil
	}
	if len(value) > maxProxyCertificate {
		return nil, errProxyCertificate
	}
	der, err := proxyDER(value)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func proxyDER(value string) ([]byte, error) {
	if inner, ok := strings.CutPrefix(value, ":"); ok {
		inner, ok = strings.CutSuffix(inner, ":")
		if !ok {
			return nil, errProxyCertificate
		}
		der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(inner, "="))
		if err != nil {
			return nil, errProxyCertificate
		}
		return der, nil
	}
	text, err := url.PathUnescape(value) // not QueryUnescape: base64 has "+"
	if err != nil {
		return nil, errProxyCertificate
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errProxyCertificate
	}
	return block.Bytes, nil
}
