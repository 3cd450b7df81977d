package jlis_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
)

// world is an authority with some cards taken out, made once: RSA keys are slow.
var world = sync.OnceValues(func() (pki *cardtest.PKI, err error) {
	dir, err = os.MkdirTemp("", "tsunagu-jlis-")
	if err != nil {
		return nil, err
	}
	pki, err = cardtest.LoadOrCreatePKI(dir, time.Now, "http://127.0.0.1:1/ocsp")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"taro", "taro-renewed", "revoked"} {
		if _, err := pki.Drawer().Card(name); err != nil {
			return nil, err
		}
	}
	return pki, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

var dir string

// service is the simulator and a client of it.
func service(t *testing.T) (*cardtest.PKI, *jlis.Client) {
	t.Helper()
	pki, err := world()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(pki.Linkage())
	t.Cleanup(s.Close)
	t.Cleanup(func() { pki.Linkage().Behave(cardtest.LinkageGood) })
	return pki, client(t, s.URL+"/jlis")
}

func client(t *testing.T, url string) *jlis.Client {
	t.Helper()
	c, err := jlis.NewClient(jlis.Config{URL: url, Now: time.Now, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func leaves(t *testing.T, pki *cardtest.PKI, name string) (auth, sign jlis.Certificate) {
	t.Helper()
	authLeaf, signLeaf, err := pki.Drawer().Leaves(name)
	if err != nil {
		t.Fatal(err)
	}
	of := func(l *cardtest.Leaf) jlis.Certificate {
		c, err := jlis.ParseCertificate(hex.EncodeToString(l.Certificate.AuthorityKeyId), fmt.Sprintf("%08x", l.Serial()))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return of(authLeaf), of(signLeaf)
}

// TestAnswers: every question about a card that was renewed, a card that was not, and one that nobody issued.
func TestAnswers(t *testing.T) {
	pki, c := service(t)
	oldAuth, oldSign := leaves(t, pki, "taro")
	newAuth, newSign := leaves(t, pki, "taro-renewed")
	other, _ := leaves(t, pki, "revoked")
	if got, err := c.Predecessors(t.Context(), newAuth); err != nil || !slices.Equal(got, []jlis.Certificate{oldAuth}) {
		t.Errorf("predecessors of the new card: %v, %v", got, err)
	}
	if got, err := c.Predecessors(t.Context(), oldAuth); !jlis.Is(err, jlis.None) {
		t.Errorf("predecessors of the first card: %v, %v", got, err)
	}
	if got, err := c.SigningOf(t.Context(), newAuth); err != nil || got != newSign {
		t.Errorf("signing of: %v, %v", got, err)
	}
	if got, err := c.AuthOf(t.Context(), oldSign); err != nil || got != oldAuth {
		t.Errorf("auth of: %v, %v", got, err)
	}
	if got, err := c.AuthOf(t.Context(), newAuth); !jlis.Is(err, jlis.None) {
		t.Errorf("auth of an auth certificate: %v, %v", got, err)
	}
	if got, err := c.Attributes(t.Context(), newSign); err != nil || got.Birthdate != "319800217" || got.Sex != "1" || got.Name == "" || got.Address == "" {
		t.Errorf("attributes: %+v, %v", got, err)
	}
	if got, err := c.Status(t.Context(), newAuth); err != nil || got.Standing != jlis.Good || time.Since(got.AsOf) > time.Minute {
		t.Errorf("status: %+v, %v", got, err)
	}
	if got, err := c.Status(t.Context(), other); err != nil || got.Standing != jlis.Revoked || got.Reason != 1 {
		t.Errorf("status of the revoked card: %+v, %v", got, err)
	}
	unknown := jlis.Certificate{Authority: oldAuth.Authority, Serial: 7}
	if got, err := c.Status(t.Context(), unknown); err != nil || got.Standing != jlis.Unknown {
		t.Errorf("status of no certificate: %+v, %v", got, err)
	}
	if got, err := c.Predecessors(t.Context(), unknown); !jlis.Is(err, jlis.None) {
		t.Errorf("predecessors of no certificate: %v, %v", got, err)
	}
}

// TestNoAnswerIsToldFromNothing: whatever the service does, the caller learns whether there is no predecessor, no permission, no service, or no
// answer to its question. A fresh client each time: it leaves a service that failed alone.
func TestNoAnswerIsToldFromNothing(t *testing.T) {
	for name, c := range map[string]struct {
		cardtest.LinkageBehaviour
		want jlis.Reason
	}{
		"down":                      {cardtest.LinkageDown, jlis.Unavailable},
		"slow":                      {cardtest.LinkageSlow, jlis.Unavailable},
		"redirects":                 {cardtest.LinkageElsewhere, jlis.Unavailable},
		"refusing":                  {cardtest.LinkageRefusing, jlis.Refused},
		"about another certificate": {cardtest.LinkageOtherCertificate, jlis.Untrusted},
		"replayed":                  {cardtest.LinkageReplayed, jlis.Untrusted},
		"of last month":             {cardtest.LinkageOld, jlis.Untrusted},
		"garbage":                   {cardtest.LinkageGarbage, jlis.Untrusted},
		"too much":                  {cardtest.LinkageHuge, jlis.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			pki, asked := service(t)
			pki.Linkage().Behave(c.LinkageBehaviour)
			auth, _ := leaves(t, pki, "taro-renewed")
			if got, err := asked.Predecessors(t.Context(), auth); !jlis.Is(err, c.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		s.Close()
		if _, err := client(t, s.URL).Status(t.Context(), jlis.Certificate{}); !jlis.Is(err, jlis.Unavailable) {
			t.Error(err)
		}
	})
}

// TestSilentServiceIsLeftAlone: after three failures nobody waits any more; a success ends that.
func TestSilentServiceIsLeftAlone(t *testing.T) {
	pki, _ := service(t)
	s := httptest.NewServer(pki.Linkage())
	t.Cleanup(s.Close)
	now := time.Now()
	c, err := jlis.NewClient(jlis.Config{URL: s.URL + "/jlis", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	auth, _ := leaves(t, pki, "taro-renewed")
	pki.Linkage().Behave(cardtest.LinkageDown)
	before := pki.Linkage().Asked()
	for range 20 {
		if _, err := c.Predecessors(t.Context(), auth); !jlis.Is(err, jlis.Unavailable) {
			t.Fatal(err)
		}
	}
	if asked := pki.Linkage().Asked() - before; asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	pki.Linkage().Behave(cardtest.LinkageGood)
	if _, err := c.Predecessors(t.Context(), auth); !jlis.Is(err, jlis.Unavailable) {
		t.Errorf("asked again at once: %v", err)
	}
	now = now.Add(6 * time.Second)
	for range 2 {
		if _, err := c.Predecessors(t.Context(), auth); err != nil {
			t.Errorf("the service is back: %v", err)
		}
	}
}

// TestCitizenWhoLeavesIsNoFailure: questions that were given up do not count against the service.
func TestCitizenWhoLeavesIsNoFailure(t *testing.T) {
	pki, c := service(t)
	auth, _ := leaves(t, pki, "taro-renewed")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if _, err := c.Predecessors(gone, auth); !jlis.Is(err, jlis.Unavailable) {
			t.Fatal(err)
		}
	}
	if _, err := c.Predecessors(t.Context(), auth); err != nil {
		t.Error(err)
	}
}

// TestServiceMustBeHTTPS: serial numbers do not travel in the clear.
func TestServiceMustBeHTTPS(t *testing.T) {
	for address, good := range map[string]bool{
		"https://linkage.example/v1": true, "http://127.0.0.1:8406/jlis": true, "http://localhost/jlis": true,
		"http://linkage.example": false, "ftp://127.0.0.1": false, "https://u:p@linkage.example": false, "https://linkage.example?x": false, "": false, "%": false,
	} {
		if _, err := jlis.NewClient(jlis.Config{URL: address, Now: time.Now}); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := jlis.NewClient(jlis.Config{URL: "https://linkage.example"}); err == nil {
		t.Error("no clock")
	}
}
