package cardtest

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LinkageBehaviour is how the simulated linkage service answers.
type LinkageBehaviour int

// The honest answer and the ways to fall short of it.
const (
	LinkageGood             LinkageBehaviour = iota
	LinkageDown                              // HTTP 503
	LinkageSlow                              // takes the question and says nothing until the client gives up
	LinkageRefusing                          // HTTP 403: not for this verifier
	LinkageOtherCertificate                  // the truth about another certificate, which it names
	LinkageReplayed                          // the truth, as it was recorded: the reference is another question's
	LinkageOld                               // the truth of last month
	LinkageGarbage                           // not JSON
	LinkageHuge                              // more bytes than anyone should read
	LinkageElsewhere                         // a redirect
)

// Linkage is a simulator of the operator's service for verifiers: which
// certificates are one person's, and who that is. It serves
// POST /jlis/{status|predecessors|signing-of|auth-of|attributes}, one JSON
// question, one JSON answer, as package jlis speaks them. What it knows is the
// cards that have been taken out of the drawer, and what Add told it.
type Linkage struct {
	pki *PKI

	mu        sync.Mutex
	behaviour LinkageBehaviour
	asked     int
	added     []issue
	told      map[named][]named
}

// named is a certificate as questions name it.
type named struct {
	Authority string `json:"authority"`
	Serial    string `json:"serial"`
}

func nameOf(c *x509.Certificate) named {
	return named{hex.EncodeToString(c.AuthorityKeyId), fmt.Sprintf("%08x", c.SerialNumber.Uint64())}
}

// issue is the certificates that a person got at one time, on one carrier.
type issue struct {
	person     Person
	auth, sign *x509.Certificate // sign may be nil
}

// Linkage returns an honest linkage service for the PKI's certificates; the same
// one every time.
func (p *PKI) Linkage() *Linkage { return p.linkage }

// Behave changes how questions are answered.
func (l *Linkage) Behave(b LinkageBehaviour) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behaviour = b
}

// Asked returns how many questions came in.
func (l *Linkage) Asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// Add tells the service of certificates that are in no drawer. sign may be nil.
func (l *Linkage) Add(p Person, auth, sign *Leaf) {
	one := issue{person: p, auth: auth.Certificate}
	if sign != nil {
		one.sign = sign.Certificate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.added = append(l.added, one)
}

// Tell makes the service name these certificates as the predecessors of auth,
// true or not. None takes it back.
func (l *Linkage) Tell(auth *Leaf, predecessors ...*Leaf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := nameOf(auth.Certificate)
	delete(l.told, of)
	for _, p := range predecessors {
		l.told[of] = append(l.told[of], nameOf(p.Certificate))
	}
}

// ServeHTTP answers one question.
func (l *Linkage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.asked++
	behaviour := l.behaviour
	l.mu.Unlock()
	what, ok := strings.CutPrefix(r.URL.Path, "/jlis/")
	if !ok || r.Method != http.MethodPost {
		http.Error(w, "questions by POST, below /jlis/", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<10)) // read first: a client that gives up is noticed only then
	if err != nil {
		return
	}
	switch behaviour {
	case LinkageSlow:
		silence(r)
		return
	case LinkageDown:
		http.Error(w, "closed for maintenance", http.StatusServiceUnavailable)
		return
	case LinkageRefusing:
		http.Error(w, "not for this verifier", http.StatusForbidden)
		return
	case LinkageElsewhere:
		http.Redirect(w, r, "/jlis/elsewhere", http.StatusTemporaryRedirect)
		return
	case LinkageHuge:
		w.Header().Set("Content-Type", "application/json")
		flood(w)
		return
	case LinkageGarbage:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"result": answered}`))
		return
	case LinkageGood, LinkageOtherCertificate, LinkageReplayed, LinkageOld: // spoiled below
	}
	var q struct {
		Reference   string `json:"reference"`
		Certificate named  `json:"certificate"`
	}
	if err := json.Unmarshal(body, &q); err != nil || q.Reference == "" || q.Certificate.Serial == "" {
		http.Error(w, "question malformed", http.StatusBadRequest)
		return
	}
	a, err := l.answer(what, q.Certificate)
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "no such question", http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, "cannot answer", http.StatusInternalServerError)
		return
	}
	a["reference"], a["certificate"], a["as_of"] = q.Reference, q.Certificate, l.pki.now().Unix()
	switch behaviour {
	case LinkageOtherCertificate:
		a["certificate"] = named{q.Certificate.Authority, "0badcafe"}
	case LinkageReplayed:
		a["reference"] = strings.Repeat("A", len(q.Reference))
	case LinkageOld:
		a["as_of"] = l.pki.now().Add(-30 * 24 * time.Hour).Unix()
	case LinkageGood, LinkageDown, LinkageSlow, LinkageRefusing, LinkageGarbage, LinkageHuge, LinkageElsewhere:
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a)
}

// answer is the truth about one certificate; fs.ErrNotExist for a question that
// there is not.
func (l *Linkage) answer(what string, of named) (map[string]any, error) {
	all, err := l.issues()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(i issue) bool { return nameOf(i.auth) == of || i.sign != nil && nameOf(i.sign) == of })
	if what == "status" {
		return l.status(of)
	}
	none := map[string]any{"result": "none"}
	l.mu.Lock()
	told := slices.Clone(l.told[of])
	l.mu.Unlock()
	switch what {
	case "predecessors":
		if told == nil && at >= 0 && nameOf(all[at].auth) == of {
			told = older(all, all[at])
		}
		if len(told) == 0 {
			return none, nil
		}
		return map[string]any{"result": "answered", "predecessors": told}, nil
	case "signing-of":
		if at < 0 || nameOf(all[at].auth) != of || all[at].sign == nil {
			return none, nil
		}
		return map[string]any{"result": "answered", "linked": nameOf(all[at].sign)}, nil
	case "auth-of":
		if at < 0 || all[at].sign == nil || nameOf(all[at].sign) != of {
			return none, nil
		}
		return map[string]any{"result": "answered", "linked": nameOf(all[at].auth)}, nil
	case "attributes":
		if at < 0 || all[at].sign == nil || nameOf(all[at].sign) != of {
			return none, nil
		}
		p := all[at].person
		return map[string]any{"result": "answered", "attributes": map[string]string{
			"name": p.Name, "address": p.Address, "birthdate": eraBirth(p.Birth), "sex": p.Sex,
		}}, nil
	}
	return nil, fs.ErrNotExist
}

// older lists the same person's authentication certificates that were issued
// before, the newest first.
func older(all []issue, than issue) []named {
	var found []*x509.Certificate
	for _, i := range all {
		if i.person == than.person && i.auth.NotBefore.Before(than.auth.NotBefore) {
			found = append(found, i.auth)
		}
	}
	slices.SortFunc(found, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	var out []named
	for _, c := range found {
		out = append(out, nameOf(c))
	}
	return out
}

func (l *Linkage) status(of named) (map[string]any, error) {
	serial, err := strconv.ParseUint(of.Serial, 16, 32)
	if err != nil {
		return nil, err
	}
	for _, ca := range []*CA{l.pki.auth, l.pki.sign} {
		if hex.EncodeToString(ca.cert.SubjectKeyId) != of.Authority || !ca.reg.knows(uint32(serial)) {
			continue
		}
		rev, revoked, err := ca.reg.revocation(uint32(serial))
		if err != nil {
			return nil, err
		}
		if revoked {
			return map[string]any{"result": "answered", "standing": "revoked", "reason": rev.Reason}, nil
		}
		return map[string]any{"result": "answered", "standing": "good"}, nil
	}
	return map[string]any{"result": "answered", "standing": "unknown"}, nil
}

// issues lists what was issued: the drawer's cards that exist by now, and what
// was added.
func (l *Linkage) issues() ([]issue, error) {
	l.mu.Lock()
	all := slices.Clone(l.added)
	l.mu.Unlock()
	for _, c := range drawerContents() {
		folder := filepath.Join(l.pki.dir, "cards", c.Name)
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		auth, sign, err := readLeaves(folder)
		if err != nil {
			return nil, err
		}
		all = append(all, issue{person: c.person, auth: auth.Certificate, sign: sign.Certificate})
	}
	return all, nil
}
