package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// privateAuthority makes certificates for the demo's own listeners. It is kept in the demo's directory, so that a browser told to
// trust ca.pem trusts it after a restart.
type privateAuthority struct {
	config *tls.Config
	pool   *x509.CertPool
}

const authorityLife = 2 * 365 * 24 * time.Hour

// openAuthority loads ca.pem, ca.key, server.pem and server.key from dir, or makes them. A pair that is about to end is made anew.
func openAuthority(dir string, now time.Time) (*privateAuthority, error) {
	ca, err := loadOrMake(dir, "ca", now, func() (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) { return newCA(now) })
	if err != nil {
		return nil, err
	}
	leaf, err := loadOrMake(dir, "server", now, func() (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) { return newLeaf(now, ca) })
	if err != nil {
		return nil, err
	}
	if leaf.cert.CheckSignatureFrom(ca.cert) != nil {
		if leaf, err = makePair(dir, "server", func() (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) { return newLeaf(now, ca) }); err != nil {
			return nil, err
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &privateAuthority{pool: pool, config: serve.TLS(tls.Certificate{Certificate: [][]byte{leaf.cert.Raw, ca.cert.Raw}, PrivateKey: leaf.key})}, nil
}

type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

type maker func() (*x509.Certificate, *ecdsa.PrivateKey, []byte, error)

func loadOrMake(dir, name string, now time.Time, fresh maker) (pair, error) {
	p, err := loadPair(dir, name)
	if err == nil && now.Add(24*time.Hour).Before(p.cert.NotAfter) {
		return p, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pair{}, fmt.Errorf("%s in %s: %w; delete it to have it made anew", name, dir, err)
	}
	return makePair(dir, name, fresh)
}

func loadPair(dir, name string) (pair, error) {
	tc, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
	if err != nil {
		return pair{}, err
	}
	key, ok := tc.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return pair{}, errors.New("not an EC key")
	}
	cert, err := x509.ParseCertificate(tc.Certificate[0])
	return pair{cert, key}, err
}

func makePair(dir, name string, fresh maker) (pair, error) {
	cert, key, der, err := fresh()
	if err != nil {
		return pair{}, err
	}
	// The key first: a crash in between leaves no certificate, and both are made anew.
	if err := os.WriteFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return pair{}, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	return pair{cert, key}, os.WriteFile(filepath.Join(dir, name+".pem"), block, 0o600)
}

func newCA(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) {
	return issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "TEST Tsunagu demo authority", Organization: []string{"TEST"}}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(authorityLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
}

func newLeaf(now time.Time, ca pair) (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) {
	return issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "TEST localhost", Organization: []string{"TEST"}}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(authorityLife / 2), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, &ca)
}

// issue makes a key and a certificate for it, signed by the issuer or, without one, by itself.
func issue(t *x509.Certificate, by *pair) (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, nil, err
	}
	if by == nil {
		by = &pair{t, key}
	}
	raw, err := x509.CreateCertificate(rand.Reader, t, by.cert, &key.PublicKey, by.key)
	if err != nil {
		return nil, nil, nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return cert, key, der, err
}
