package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of a seed file.
const (
	maxSeed        = 16 << 20 // bytes
	maxSeedEntries = 10_000   // clients
)

// Seed registers the clients of a file: a JSON array of metadata documents, each
// with an additional "client_secret_sha256" (64 hexadecimal digits) if the client
// has a secret. The file never holds a secret.
//
// An entry is applied once. A file that did not change makes no new version, not
// even of a client that was changed by Put since: what an operator did later
// stays, until its entry in the file changes. A client that is missing from the
// file stays too. Either all entries are applied or none; faults of all entries
// are reported together as *FieldErrors, with fields such as "[2].redirect_uris".
func (r *Registry) Seed(ctx context.Context, file []byte) error {
	entries, err := parseSeed(file)
	if err != nil {
		return err
	}
	var due []entry
	for _, e := range entries {
		before, err := r.findClient(ctx, e.m.ClientID)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		if bytes.Equal(before.seed, e.seed) {
			continue
		}
		if err := r.checkRemote(ctx, e.m); err != nil {
			return fmt.Errorf("client %s: %w", e.m.ClientID, err)
		}
		due = append(due, e)
	}
	if len(due) == 0 {
		return nil
	}
	return r.change(ctx, func(ctx context.Context) error {
		for _, e := range due {
			if _, err := r.store(ctx, e); err != nil {
				return fmt.Errorf("client %s: %w", e.m.ClientID, err)
			}
		}
		return nil
	})
}

func parseSeed(file []byte) ([]entry, error) {
	var faults FieldErrors
	if len(file) > maxSeed {
		faults.add("(document)", "is larger than 16 MiB", "split it")
		return nil, faults.orNil()
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(file, &documents); err != nil || len(documents) > maxSeedEntries {
		faults.add("(document)", "is not a JSON array of at most 10000 clients", "write an array of metadata documents")
		return nil, faults.orNil()
	}
	entries := make([]entry, 0, len(documents))
	seen := make(map[ID]bool)
	for i, d := range documents {
		at := element("", i)
		e, err := parseSeedEntry(d)
		if list, ok := errors.AsType[*FieldErrors](err); ok {
			for _, f := range list.List {
				faults.add(at+"."+f.Field, f.Problem, f.Remedy)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		if seen[e.m.ClientID] {
			faults.add(at+".client_id", "stands twice in the file", "keep one entry")
		}
		seen[e.m.ClientID] = true
		entries = append(entries, e)
	}
	return entries, faults.orNil()
}

func parseSeedEntry(b []byte) (entry, error) {
	var faults FieldErrors
	if len(b) > MaxMetadata {
		faults.add("(document)", "is larger than 64 KiB", "shorten it")
		return entry{}, faults.orNil()
	}
	o, err := decodeObject(b)
	if err != nil {
		faults.add("(document)", err.Error(), "write one JSON object with each member once")
		return entry{}, faults.orNil()
	}
	digest, err := parseDigest(o.take("client_secret_sha256"))
	if err != nil {
		faults.add("client_secret_sha256", "is not 64 hexadecimal digits", "write the SHA-256 of the secret")
	}
	m, err := parseMembers(o)
	if list, ok := errors.AsType[*FieldErrors](err); ok {
		faults.List = append(faults.List, list.List...)
	} else if err != nil {
		return entry{}, err
	}
	if err := faults.orNil(); err != nil {
		return entry{}, err
	}
	canonical, err := json.Marshal(m)
	if err != nil {
		return entry{}, fmt.Errorf("encode client %s: %w", m.ClientID, err)
	}
	seed := sha256.Sum256(append(canonical, digest...))
	return entry{m: m, secret: digest, seed: seed[:], origin: origin{by: "seed", kind: eventSeeded}}, nil
}

// parseDigest returns nil for a member that is absent.
func parseDigest(raw json.RawMessage) ([]byte, error) {
	if raw == nil {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	digest, err := hex.DecodeString(text)
	if err == nil && len(digest) != sha256.Size {
		err = hex.ErrLength
	}
	return digest, err
}
