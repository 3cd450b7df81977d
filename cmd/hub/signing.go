package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
)

// signing is the part of the configuration that is about signatures over documents. Without anchors nothing is signed.
type signing struct {
	Anchors []string `json:"anchors"` // PEM files of the signature authority
	OCSP    string   `json:"ocsp"`
	CRL     string   `json:"crl"`
}

// signing returns the authorities and their revocation; nil, nil without anchors.
func (c config) signing(now func() time.Time, figures *metrics.Registry) (*cardauth.SigningAnchors, *cardauth.Revocation, error) {
	s := c.Cards.Signing
	if len(s.Anchors) == 0 {
		if s.OCSP != "" || s.CRL != "" {
			return nil, nil, errors.New("cards.signing.anchors: a responder or lists, but no authority")
		}
		return nil, nil, nil
	}
	env, err := c.environment()
	if err != nil {
		return nil, nil, err
	}
	var files [][]byte
	for _, path := range s.Anchors {
		b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, nil, fmt.Errorf("cards.signing.anchors: %w", err)
		}
		files = append(files, b)
	}
	anchors, err := cardauth.ParseSigningAnchors(env, files...)
	if err != nil {
		return nil, nil, fmt.Errorf("cards.signing.anchors: %w", err)
	}
	revocation, err := cardauth.NewRevocation(cardauth.RevocationDeps{
		Now: now, OCSP: s.OCSP, CRL: s.CRL, WholeList: c.Cards.WholeList, Directory: c.Cards.Directory, SigningAnchors: anchors,
		Metrics: figures, Purpose: "signature",
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cards.signing: %w", err)
	}
	return anchors, revocation, nil
}
