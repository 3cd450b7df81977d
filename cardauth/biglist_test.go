package cardauth

import (
	"bytes"
	"crypto/x509"
	"io"
	"os"
	rtmetrics "runtime/metrics"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/cputime"
)

const country = 5_000_000 // entries of a list for everybody

func bigList(entries int) cardtest.BigList {
	return cardtest.BigList{Entries: entries, Number: 7, ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(24 * time.Hour)}
}

// listReader returns a list as it would arrive: nothing holds it whole.
func listReader(t testing.TB, l cardtest.BigList) io.Reader {
	t.Helper()
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(testPKI(t).Auth().WriteList(w, l)) }()
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// whole returns what reads lists of all certificates, and the authority.
func whole(t testing.TB, more func(*RevocationDeps)) (*Revocation, *anchor) {
	t.Helper()
	anchors, err := ParseAnchors(Test, testPKI(t).Auth().PEM())
	if err != nil {
		t.Fatal(err)
	}
	deps := RevocationDeps{Now: vectorClock, WholeList: true, Anchors: anchors}
	if more != nil {
		more(&deps)
	}
	r, err := NewRevocation(deps)
	if err != nil {
		t.Fatal(err)
	}
	return r, anchors.byKeyID[string(testPKI(t).Auth().Certificate().SubjectKeyId)]
}

func (a *anchor) whole() listKey { return listKey{issuer: [keyIDLen]byte(a.cert.SubjectKeyId)} }

// What the generator makes, the library reads too, with the same entries.
func TestBigListIsAList(t *testing.T) {
	for _, entries := range []int{0, 1, 3, 4000} {
		var b bytes.Buffer
		if err := testPKI(t).Auth().WriteList(&b, bigList(entries)); err != nil {
			t.Fatal(err)
		}
		theirs, err := x509.ParseRevocationList(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err = theirs.CheckSignatureFrom(testPKI(t).Auth().Certificate()); err != nil || len(theirs.RevokedCertificateEntries) != entries {
			t.Fatalf("%d entries, %v", len(theirs.RevokedCertificateEntries), err)
		}
		r, authority := whole(t, nil)
		ours, err := r.judgeList(&b, authority.whole(), authority)
		if err != nil || ours.total != entries {
			t.Fatalf("%+v, %v", ours, err)
		}
		for _, e := range theirs.RevokedCertificateEntries {
			if why, revoked := ours.entries.find(uint32(e.SerialNumber.Uint64())); !revoked || int(why) != e.ReasonCode {
				t.Fatalf("%v: %v, %v", e.SerialNumber, why, revoked)
			}
		}
	}
}

// A list of a million is read from a stream in the memory of its entries, and
// five million are five times that: below 64 MB, also while it replaces another.
func TestMemoryOfACountrysList(t *testing.T) {
	const entries, budget = country / 5, 64 << 20 / 5
	r, authority := whole(t, nil)
	before := heap()
	list, err := r.judgeList(listReader(t, bigList(entries)), authority.whole(), authority)
	if err != nil {
		t.Fatal(err)
	}
	held := heap() - before
	if list.entries.count != entries || held > budget/2 {
		t.Errorf("%d entries in %d bytes, want at most %d, so that the next list has room beside it", list.entries.count, held, budget/2)
	}
	if perEntry := float64(held) / entries; perEntry > 4.2 {
		t.Errorf("%.2f bytes an entry", perEntry)
	}
	if _, revoked := list.entries.find(0x02000000); !revoked {
		t.Error("the first entry is not found")
	}
}

// peakOf returns the most memory in use, in bytes, while f ran.
func peakOf(f func()) uint64 {
	sample := []rtmetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	var most uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			rtmetrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return most
}

// BenchmarkCountrysList is a list of five million from the file it came in to
// the first look-up: 185 MB read, hashed, verified and sorted.
func BenchmarkCountrysList(b *testing.B) {
	path := b.TempDir() + "/list"
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err = testPKI(b).Auth().WriteList(f, bigList(country)); err != nil {
		b.Fatal(err)
	}
	r, authority := whole(b, nil)
	load := func() *crl {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		list, err := r.judgeList(f, authority.whole(), authority)
		if err != nil || list.entries.count != country {
			b.Fatal(err)
		}
		return list
	}
	b.Run("load", func(b *testing.B) {
		before := heap()
		var list *crl
		cputime.PerOperation(b, func(int) { list = load() })
		held := heap() - before
		b.ReportMetric(float64(held)/(1<<20), "MB-resident")
		b.ReportMetric(float64(peakOf(func() { load() })-heap())/(1<<20), "MB-more-while-replacing")
		b.ReportMetric(float64(held)/float64(list.entries.count), "bytes/entry")
	})
	b.Run("lookup", func(b *testing.B) {
		list := load()
		b.ResetTimer()
		n, hits := uint32(1), 0
		for b.Loop() {
			n = n*1664525 + 1013904223 // all over the range: the worst for caches
			if _, revoked := list.entries.find(n >> 1); revoked {
				hits++
			}
		}
		if hits == 0 && b.N > 1<<16 {
			b.Error("nothing found")
		}
	})
}
