package cardauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// byList is a world whose responder is broken, and where one login has fetched
// the list.
func byList(t *testing.T, adjust func(*RevocationDeps)) (*world, *cardtest.Leaf) {
	t.Helper()
	w := newWorld(t, adjust)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "crl")
	return w, leaf
}

// What cannot be relied on leaves the list before it in use, until that runs out.
func TestBadListNeverReplacesAGoodOne(t *testing.T) {
	for name, bad := range map[string]cardtest.CRLBehaviour{
		"Stale": cardtest.CRLStale, "Older": cardtest.CRLOlder, "LowerNumber": cardtest.CRLLowerNumber, "Future": cardtest.CRLFuture,
		"WrongSigner": cardtest.CRLWrongSigner, "AnotherMunicipality": cardtest.CRLWrongPoint, "AnotherAuthority": cardtest.CRLWrongIssuer,
		"Delta": cardtest.CRLDelta, "Garbage": cardtest.CRLGarbage, "Missing": cardtest.CRLMissing, "Huge": cardtest.CRLHuge,
		"Truncated": cardtest.CRLTruncated, "Drip": cardtest.CRLDrip, "Silent": cardtest.CRLSilent,
	} {
		t.Run(name, func(t *testing.T) {
			w, leaf := byList(t, impatient)
			revoked := issue(t, nil)
			if err := testPKI(t).Auth().Revoke(revoked.Serial(), 1); err != nil { // no list that is believed says so yet
				t.Fatal(err)
			}
			w.responder.BehaveCRL(bad)
			w.advance(2 * time.Hour)
			w.deps.Revocation.refreshDue(t.Context())
			if _, lists := w.responder.Asked(); lists != 2 {
				t.Fatalf("%d lists asked for", lists)
			}
			for _, l := range []*cardtest.Leaf{leaf, revoked} {
				i, err := w.login(t, l)
				wantAccepted(t, i, err, "crl")
			}
			w.responder.BehaveCRL(cardtest.CRLGood)
			w.advance(listPause)
			w.deps.Revocation.refreshDue(t.Context())
			_, err := w.login(t, revoked)
			wantReason(t, err, CertificateRevoked)
		})
	}
}

// A login that has a list does not wait for the next one: here it would wait for
// ever.
func TestLoginNeverWaitsForAFresherList(t *testing.T) {
	fetches, release := make(chan struct{}, 8), make(chan struct{})
	var w *world
	mirror := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fetches <- struct{}{}
		if len(fetches) > 1 {
			<-release
		}
		w.responder.ServeHTTP(rw, r)
	}))
	defer mirror.Close()
	w = newWorld(t, func(d *RevocationDeps) { d.CRL = mirror.URL + "/crl" })
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "crl")
	w.advance(2 * time.Hour)
	refreshed := make(chan struct{})
	go func() { w.deps.Revocation.refreshDue(t.Context()); close(refreshed) }()
	for len(fetches) < 2 {
		time.Sleep(time.Millisecond)
	}
	i, err = w.login(t, leaf)
	wantAccepted(t, i, err, "crl")
	close(release)
	<-refreshed
}

// Lists replace each other under the eyes of logins, which see one or the other
// whole.
func TestReadersDuringReplacement(t *testing.T) {
	r, authority := whole(t, nil)
	var lists []*crl
	for _, entries := range []int{2000, 2500, 3000} {
		l, err := r.judgeList(listReader(t, bigList(entries)), authority.whole(), authority)
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, l)
	}
	held, err := r.place(authority.whole(), authority)
	if err != nil {
		t.Fatal(err)
	}
	if err = r.replace(held, nil, lists[0]); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, ok := held.good(noon)
				if !ok {
					t.Error("no list for a moment")
					return
				}
				for i := range 50 {
					if _, revoked := c.entries.find(uint32(i*37%2000)*0x2545F491&(1<<30-1) + 0x02000000); !revoked {
						t.Error("an entry of every list was not there")
						return
					}
				}
			}
		})
	}
	for i := range 300 {
		before := held.current.Load()
		if err = r.replace(held, before, lists[i%3]); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
	if got, want := r.stored.Load(), int64(held.current.Load().entries.count); got != want {
		t.Errorf("%d entries are counted, %d are there", got, want)
	}
}

func TestListsAreBounded(t *testing.T) {
	r, authority := whole(t, func(d *RevocationDeps) { d.MaxListEntries, d.MaxListBytes = 100, 100_000 })
	for entries, accepted := range map[int]bool{100: true, 101: false, 5000: false} { // 5,000 have 185,000 bytes
		_, err := r.judgeList(listReader(t, bigList(entries)), authority.whole(), authority)
		if (err == nil) != accepted {
			t.Errorf("%d entries: %v", entries, err)
		}
	}
	// All together: the store is nearly full, and the next list would not fit.
	held, err := r.place(authority.whole(), authority)
	if err != nil {
		t.Fatal(err)
	}
	list := func(entries int) *crl {
		l, err := r.judgeList(listReader(t, bigList(entries)), authority.whole(), authority)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	r.stored.Store(maxStored - 50)
	first := list(40)
	if err = r.replace(held, nil, first); err != nil {
		t.Fatal(err)
	}
	if err = r.replace(held, first, list(60)); err == nil || held.current.Load() != first {
		t.Error("beyond what all lists may have")
	}
	if err = r.replace(held, first, list(50)); err != nil {
		t.Error(err)
	}
	for i := range maxLists {
		_, err = r.place(listKey{point: pointDigest{1, byte(i), byte(i >> 8)}}, authority)
	}
	if err == nil || len(r.lists) != maxLists {
		t.Errorf("%d lists, %v", len(r.lists), err)
	}
}

// RFC 5280 §5.2.3: a conforming authority numbers its lists; without numbers
// nobody could tell that one was put back.
func TestListsAreNumbered(t *testing.T) {
	r, authority := whole(t, nil)
	numbered := func(number int64, age time.Duration) (*crl, error) {
		l := bigList(3)
		l.Number, l.ThisUpdate = number, noon.Add(-age)
		return r.judgeList(listReader(t, l), authority.whole(), authority)
	}
	if _, err := numbered(0, time.Hour); err == nil {
		t.Error("a list without a number is read")
	}
	before, err := numbered(7, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		number  int64
		age     time.Duration
		follows bool
	}{{8, time.Hour, true}, {7, 2 * time.Hour, true}, {7, time.Hour, true}, {6, time.Hour, false}, {8, 3 * time.Hour, false}} {
		next, err := numbered(tt.number, tt.age)
		if err != nil {
			t.Fatal(err)
		}
		if err = next.follows(before); (err == nil) != tt.follows {
			t.Errorf("number %d, %v old, after number 7, 2h old: %v", tt.number, tt.age, err)
		}
	}
}

// A list of one municipality says nothing about the others, and one of all is
// looked for in its own place.
func TestWholeListAndPartitionsAreNotMixedUp(t *testing.T) {
	r, authority := whole(t, nil)
	point := testPKI(t).Auth().Point(taro.Place)
	partition := bigList(3)
	partition.Point = point
	inPoint := listKey{authority.whole().issuer, digestPoint(point)}
	for name, tt := range map[string]struct {
		list     cardtest.BigList
		key      listKey
		accepted bool
	}{
		"whole as whole":         {bigList(3), authority.whole(), true},
		"partition as partition": {partition, inPoint, true},
		"partition as whole":     {partition, authority.whole(), false},
		"whole as partition":     {bigList(3), inPoint, false},
	} {
		if _, err := r.judgeList(listReader(t, tt.list), tt.key, authority); (err == nil) != tt.accepted {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, _ := byList(t, func(d *RevocationDeps) { d.WholeList = true })
	w.responder.BehaveCRL(cardtest.CRLWrongPoint)
	w.forgetLists()
	_, err := w.login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
}

// The lists of the last start are there before the first login, and are judged
// again: what lies in a file proves nothing.
func TestRestartBeginsWithTheListsOfTheLast(t *testing.T) {
	dir := t.TempDir()
	anchors, err := ParseAnchors(Test, testPKI(t).Auth().PEM())
	if err != nil {
		t.Fatal(err)
	}
	adjust := func(d *RevocationDeps) { d.Directory, d.Anchors = dir, anchors }
	byList(t, adjust)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.crl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	left := filepath.Join(filepath.Dir(files[0]), temporaryPrefix+"crash")
	if err = os.WriteFile(left, []byte("half a list"), 0o600); err != nil {
		t.Fatal(err)
	}
	restarted := func() *world {
		w := newWorld(t, adjust)
		w.responder.BehaveOCSP(cardtest.OCSPServerError)
		w.responder.BehaveCRL(cardtest.CRLMissing)
		w.deps.Revocation.recall()
		w.deps.Revocation.refreshDue(t.Context())
		return w
	}
	w := restarted()
	i, err := w.login(t, issue(t, nil))
	wantAccepted(t, i, err, "crl")
	if _, lists := w.responder.Asked(); lists != 0 {
		t.Errorf("%d lists asked for", lists)
	}
	if _, err = os.Stat(left); err == nil {
		t.Error("what a crash left is still there")
	}
	der, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	der[len(der)/2] ^= 1
	if err = os.WriteFile(files[0], der, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = restarted().login(t, issue(t, nil))
	wantReason(t, err, RevocationUnavailable)
}

// A directory that cannot be written to costs the next start its lists, and
// nobody a login.
func TestFullDiskRefusesNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	byList(t, func(d *RevocationDeps) { d.Directory = file })
}

// A mirror that knows what we have says so in place of sending it.
func TestUnchangedListIsNotSentAgain(t *testing.T) {
	var mu sync.Mutex
	sent := map[int]int{}
	var w *world
	mirror := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		w.responder.ServeHTTP(rec, r)
		mu.Lock()
		sent[rec.Code]++
		mu.Unlock()
		rw.Header().Set("ETag", rec.Header().Get("ETag"))
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
	}))
	defer mirror.Close()
	w = newWorld(t, func(d *RevocationDeps) { d.CRL = mirror.URL + "/crl" })
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	i, err := w.login(t, leaf)
	wantAccepted(t, i, err, "crl")
	for range 3 {
		w.advance(time.Hour)
		w.deps.Revocation.refreshDue(t.Context())
	}
	i, err = w.login(t, leaf)
	wantAccepted(t, i, err, "crl")
	if sent[http.StatusOK] != 1 || sent[http.StatusNotModified] != 3 {
		t.Errorf("sent %v", sent)
	}
	if err = testPKI(t).Auth().Revoke(leaf.Serial(), 4); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Hour)
	w.deps.Revocation.refreshDue(t.Context())
	_, err = w.login(t, leaf)
	wantReason(t, err, CertificateRevoked)
	if refusal := refused(t, err, CertificateRevoked); refusal.RevokedFor != Superseded {
		t.Errorf("revoked for %v", refusal.RevokedFor)
	}
}

// Run gets the whole list before anybody logs in, and ends when it is told to.
func TestRunGetsListsBeforeAnybodyLogsIn(t *testing.T) {
	anchors, err := ParseAnchors(Test, testPKI(t).Auth().PEM())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(d *RevocationDeps) { d.WholeList, d.Anchors = true, anchors })
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.deps.Revocation.Run(ctx) }()
	current := func() bool {
		all := w.deps.Revocation.listStates()
		return len(all) == 1 && all[0].state == "current"
	}
	for deadline := time.Now().Add(10 * time.Second); !current(); {
		if time.Now().After(deadline) {
			t.Fatal("no list")
		}
		time.Sleep(time.Millisecond)
	}
	w.responder.BehaveCRL(cardtest.CRLMissing)
	i, err := w.login(t, issue(t, nil))
	wantAccepted(t, i, err, "crl")
	stop()
	if err = <-ended; err != nil {
		t.Error(err)
	}
}

// The moments at which lists are fetched: early enough, not too often, not all
// at once.
func TestScheduleOfLists(t *testing.T) {
	r, _ := whole(t, nil)
	for _, tt := range []struct {
		left     time.Duration
		min, max time.Duration
	}{
		{24 * time.Hour, 45 * time.Minute, time.Hour},
		{time.Hour, 22 * time.Minute, 30 * time.Minute},
		{time.Second, listPause, listPause},
		{-time.Hour, listPause, listPause},
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := r.untilRefresh(noon, noon.Add(tt.left))
			if seen[d] = true; d < tt.min || d > tt.max {
				t.Errorf("%v before the end: after %v, want %v to %v", tt.left, d, tt.min, tt.max)
			}
		}
		if tt.min != tt.max && len(seen) < 10 {
			t.Errorf("%v before the end: %d different moments", tt.left, len(seen))
		}
	}
	r.random = func() float64 { return 1 }
	l := &heldList{}
	for i, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
		if got := r.backoff(l); got != want*time.Second {
			t.Errorf("after %d failures: %v, want %v", i, got, want*time.Second)
		}
		l.failed(noon, 0, errCRL)
	}
	l.fails = 1 << 40
	r.random = func() float64 { return 0 }
	if got := r.backoff(l); got != maxListPause/2 {
		t.Errorf("%v", got)
	}
}

func TestPathsOfLists(t *testing.T) {
	key := listKey{issuer: [keyIDLen]byte{0xAB}, point: pointDigest{0xCD}}
	if got, want := key.path(), "ab"+strings.Repeat("0", 38)+"/cd"+strings.Repeat("0", 62)+".crl"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Lists that nobody has verified yet are bounded together: sixteen that a mirror
// makes up at once cost what one costs, and nothing stays behind.
func TestListsThatAreReadAtOnceAreBounded(t *testing.T) {
	r, authority := whole(t, nil)
	read := func() error {
		_, err := r.judgeList(listReader(t, bigList(readStep+1)), authority.whole(), authority)
		return err
	}
	r.reading.Store(maxStored - readStep)
	if err := read(); !errors.Is(err, errNoRoom) {
		t.Errorf("beside others that are being read: %v", err)
	}
	r.reading.Store(maxStored - 2*readStep)
	if err := read(); err != nil || r.reading.Load() != maxStored-2*readStep {
		t.Errorf("%v; %d", err, r.reading.Load())
	}
}

// What an unsigned list holds is neither sorted nor copied.
func TestUnsignedListIsNotFinished(t *testing.T) {
	list, err := parseCRL(listReader(t, bigList(100)), listLimits{bytes: 1 << 20, entries: 1 << 12}, func(*crl) error { return nil })
	if err != nil || list.entries.count != 0 {
		t.Errorf("%d entries in place, %v", list.entries.count, err)
	}
}
