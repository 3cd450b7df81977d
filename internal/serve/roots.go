package serve

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Roots returns the authorities of a PEM file beside those given; nil gives the system's.
func Roots(beside *x509.CertPool, path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	if beside == nil {
		if beside, err = x509.SystemCertPool(); err != nil {
			return nil, err
		}
	}
	pool := beside.Clone()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}
