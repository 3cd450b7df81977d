package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// Bounds of one file of bases.
const (
	MaxFile   = 4 << 20 // bytes
	maxBases  = 20_000
	maxFaults = 20
	maxLabel  = 100 // characters of a name
	maxLaw    = 200 // characters of a citation
)

// columns is the first line of a file, and the order of every other.
var columns = []string{
	"basis", "requester", "purpose", "purpose_name", "purpose_name_en", "provider", "item", "item_name", "item_name_en", "valid_from", "valid_until", "law",
}

// Fault is what is wrong in a line of a file.
type Fault struct {
	Line   int // from 1
	Column string
	Detail string
}

// FileError lists the faults of a file, the first twenty.
type FileError struct{ Faults []Fault }

// Error has a line for each fault.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("line %d: %s: %s", f.Line, f.Column, f.Detail)
	}
	return strings.Join(lines, "\n")
}

// File is a file of bases that was found good.
type File struct {
	Bases  []Basis
	Digest string // SHA-256 of its bytes, in hex
}

// ReadFile reads a file of bases (RFC 4180, UTF-8). A *FileError says what is wrong with it.
func ReadFile(r io.Reader) (File, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return File{}, err
	}
	if len(b) > MaxFile {
		return File{}, &FileError{Faults: []Fault{{Line: 1, Column: "(file)", Detail: "is larger than 4 MiB"}}}
	}
	sum := sha256.Sum256(b)
	out := File{Digest: hex.EncodeToString(sum[:])}
	d := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))) // spreadsheets write a byte order mark
	d.FieldsPerRecord = len(columns)
	head, err := d.Read()
	if err != nil || !slices.Equal(head, columns) {
		return File{}, &FileError{Faults: []Fault{{Line: 1, Column: "(header)", Detail: "must be " + strings.Join(columns, ",")}}}
	}
	var faults []Fault
	seen := map[BasisName]int{}
	for {
		row, err := d.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			faults = append(faults, syntaxFault(err))
			break // what follows cannot be told apart
		}
		line, _ := d.FieldPos(0)
		basis, wrong := readBasis(row)
		for _, f := range wrong {
			f.Line = line
			faults = append(faults, f)
		}
		if first := seen[basis.Name]; first != 0 && basis.Name != "" {
			faults = append(faults, Fault{line, "basis", fmt.Sprintf("stands in line %d already", first)})
		}
		seen[basis.Name] = line
		out.Bases = append(out.Bases, basis)
		if len(out.Bases) > maxBases {
			faults = append(faults, Fault{line, "(file)", "has more than 20000 bases"})
		}
		if len(faults) >= maxFaults || len(out.Bases) > maxBases {
			break
		}
	}
	if len(faults) == 0 && len(out.Bases) == 0 {
		faults = append(faults, Fault{1, "(file)", "has no basis"})
	}
	if len(faults) > 0 {
		return File{}, &FileError{Faults: faults[:min(len(faults), maxFaults)]}
	}
	return out, nil
}

// syntaxFault keeps the line and drops what the reader says of the content.
func syntaxFault(err error) Fault {
	f := Fault{Line: 1, Column: "(line)", Detail: "is not a line of 12 fields"}
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		f.Line = p.Line
	}
	return f
}

func readBasis(row []string) (Basis, []Fault) {
	var b Basis
	var faults []Fault
	note := func(column string, err error) {
		if err != nil {
			faults = append(faults, Fault{Column: column, Detail: strings.TrimPrefix(err.Error(), "govcode: ")})
		}
	}
	text := func(i, most int, required bool) string {
		switch s := row[i]; {
		case s == "" && required:
			note(columns[i], errors.New("is empty"))
		case !plain(s, most):
			note(columns[i], fmt.Errorf("is not plain text of at most %d characters", most))
		default:
			return s
		}
		return ""
	}
	var err error
	b.Name, err = ParseBasisName(row[0])
	note(columns[0], err)
	b.Requester, err = govcode.ParseBody(row[1])
	note(columns[1], err)
	b.Purpose, err = govcode.ParseProcedure(row[2])
	note(columns[2], err)
	b.PurposeName = Text{text(3, maxLabel, true), text(4, maxLabel, false)}
	b.Provider, err = govcode.ParseBody(row[5])
	note(columns[5], err)
	b.Item, err = govcode.ParseItem(row[6])
	note(columns[6], err)
	b.ItemName = Text{text(7, maxLabel, true), text(8, maxLabel, false)}
	b.From, err = ParseDate(row[9])
	note(columns[9], err)
	var last time.Time
	last, err = ParseDate(row[10])
	note(columns[10], err)
	b.Until = last.AddDate(0, 0, 1)
	b.Law = text(11, maxLaw, true)
	if len(faults) > 0 {
		return b, faults
	}
	if b.Requester == b.Provider {
		note(columns[5], errors.New("is the requester itself"))
	}
	if !b.Until.After(b.From) {
		note(columns[10], errors.New("is before valid_from"))
	}
	return b, faults
}
