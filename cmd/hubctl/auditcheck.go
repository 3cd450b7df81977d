package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// maxLine bounds a line of an export, in bytes: a row has nine texts of 256 bytes and sixteen facts.
const maxLine = 64 << 10

// typCheckpoint is the "typ" of a checkpoint.
const typCheckpoint = "audit-checkpoint+jwt"

// auditCheck needs no hub, and no trust in one: whoever kept a checkpoint judges an export by herself.
func (a *app) auditCheck() *cobra.Command {
	var export, checkpoint, jwks string
	c := &cobra.Command{
		Use: "check -f EXPORT", Short: "Judges an export by itself, without a hub; exit code 5 if it is broken", Args: cobra.NoArgs,
		Long: "Walks over an export of all rows and names the first that is not what was written. With a checkpoint that you kept, and the hub's published keys as they were then, it also says whether this is the log that was signed.",
	}
	f := c.Flags()
	f.StringVarP(&export, "file", "f", "", "the export, JSON lines; - is the standard input")
	f.StringVar(&checkpoint, "checkpoint", "", "file with a checkpoint")
	f.StringVar(&jwks, "jwks", "", "file with the hub's key set, from its /jwks")
	_ = c.MarkFlagRequired("file") // the flag is there
	c.MarkFlagsRequiredTogether("checkpoint", "jwks")
	c.RunE = func(*cobra.Command, []string) (err error) {
		var claim *claimed
		if checkpoint != "" {
			if claim, err = readClaim(checkpoint, jwks); err != nil {
				return err
			}
		}
		in := a.in
		if export != "-" {
			file, err := os.Open(export) //nolint:gosec // the auditor names the file
			if err != nil {
				return usageError{err}
			}
			defer func() { _ = file.Close() }() // it was only read
			in = file
		}
		found, err := checkExport(in, claim)
		if err != nil {
			return err
		}
		if err := a.answer(found, func() {
			if found.Whole {
				a.say("%d rows, all as they were written; the last is %s", found.Rows, found.Hash)
			}
		}); err != nil {
			return err
		}
		if !found.Whole {
			return foundError{fmt.Sprintf("row %d: %s", found.Seq, found.Why)}
		}
		return nil
	}
	return c
}

// claimed is what a checkpoint says.
type claimed struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

func readClaim(checkpoint, jwks string) (*claimed, error) {
	token, err := readSmall(checkpoint)
	if err != nil {
		return nil, err
	}
	published, err := readSmall(jwks)
	if err != nil {
		return nil, err
	}
	set, err := keys.ParsePublicSet(published)
	if err != nil {
		return nil, usageError{fmt.Errorf("--jwks: %w", err)}
	}
	v, err := set.Verify(strings.TrimSpace(string(token)), keys.VerifyOptions{Algs: []keys.Alg{keys.ES256}, Typ: typCheckpoint})
	if err != nil {
		return nil, foundError{"the checkpoint is not signed by these keys: " + err.Error()}
	}
	var c claimed
	if err := json.Unmarshal(v.Payload, &c); err != nil || c.Seq < 1 || len(c.Hash) != 64 {
		return nil, foundError{"the checkpoint says nothing about a row"}
	}
	return &c, nil
}

func readSmall(path string) (_ []byte, err error) {
	f, err := os.Open(path) //nolint:gosec // the auditor names the file
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, keys.MaxSetBytes+1))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// checkExport walks over an export. The claim, if there is one, has to be met by a row of it.
func checkExport(in io.Reader, claim *claimed) (adminapi.AuditCheck, error) {
	var out adminapi.AuditCheck
	var x audit.Exported
	met := claim == nil
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		r, err := rowOf(lines.Bytes())
		if err != nil {
			return out, usageError{fmt.Errorf("line %d: %w", out.Rows+1, err)}
		}
		if err := x.Next(r); err != nil {
			broken, ok := errors.AsType[*audit.BrokenError](err)
			if !ok {
				return out, err
			}
			out.Seq, out.Why = broken.Seq, string(broken.Why)
			return out, nil
		}
		out.Rows++
		out.Hash = hex.EncodeToString(r.Hash[:])
		if claim != nil && r.Seq == claim.Seq {
			if out.Hash != claim.Hash {
				out.Seq, out.Why = r.Seq, "checkpoint"
				return out, nil
			}
			met = true
		}
	}
	if err := lines.Err(); err != nil {
		return out, usageError{fmt.Errorf("line %d: %w", out.Rows+1, err)}
	}
	if !met { // rows that the checkpoint counts are not there
		out.Seq, out.Why = claim.Seq, "checkpoint"
		return out, nil
	}
	out.Whole = true
	return out, nil
}

func rowOf(line []byte) (audit.Row, error) {
	var r adminapi.AuditRow
	if err := json.Unmarshal(line, &r); err != nil {
		return audit.Row{}, errors.New("is no row of an export")
	}
	row := audit.Row{Seq: r.Seq, At: r.At, Event: audit.Event{
		Kind: audit.Kind(r.Kind), Account: r.Account, Client: r.Client, Session: r.Session, Actor: r.Actor, Reason: r.Reason, Trace: r.Trace, Facts: r.Facts,
	}}
	for _, h := range []struct {
		text string
		to   *[32]byte
	}{{r.Hash, &row.Hash}, {r.Prev, &row.Prev}} {
		b, err := hex.DecodeString(h.text)
		if err != nil || len(b) != len(h.to) {
			return audit.Row{}, errors.New("has no hash of 64 hexadecimal digits")
		}
		copy(h.to[:], b)
	}
	return row, nil
}
