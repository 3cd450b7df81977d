package federation

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// The example of draft-ietf-oauth-status-list-21 §4.1 and §4.2: statuses 1,0,0,1,1,1,0,1, 1,1,0,0,0,1,0,1 are the bytes b9 a3. The text of
// lst is that of the same DEFLATE at the same level, which another library may compress otherwise.
func TestStatusListIsEncodedAsTheDraftSays(t *testing.T) {
	a := make(statusArray, 2)
	for i, ended := range []int{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1} {
		if ended == 1 {
			a.end(i)
		}
	}
	if !bytes.Equal(a, []byte{0xb9, 0xa3}) || !a.ended(0) || a.ended(1) {
		t.Errorf("%x", []byte(a))
	}
	lst, err := a.lst()
	if err != nil || !bytes.Equal(inflate(t, lst), []byte{0xb9, 0xa3}) {
		t.Errorf("%s, %v", lst, err)
	}
	if theirs := inflate(t, "eNrbuRgAAhcBXQ"); !bytes.Equal(theirs, a) {
		t.Errorf("the draft's own text is %x", theirs)
	}
}

func inflate(t testing.TB, lst string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// place gives a session a position.
func (o *outbox) place(account AccountID, client clients.ID, session string) StatusRef {
	o.t.Helper()
	ref, err := o.Status.Index(o.t.Context(), account, client, session)
	if err != nil {
		o.t.Fatal(err)
	}
	return ref
}

func (o *outbox) statusToken(ref StatusRef) (statusClaims, StatusToken) {
	o.t.Helper()
	id := strings.TrimPrefix(ref.URI, "https://hub.example"+StatusPath)
	token, err := o.Status.Token(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	var claims statusClaims
	if err := json.Unmarshal([]byte(token.JWT), &claims); err != nil {
		o.t.Fatal(err)
	}
	return claims, token
}

func (o *outbox) wantEnded(ref StatusRef, want bool) {
	o.t.Helper()
	claims, _ := o.statusToken(ref)
	if claims.Subject != ref.URI {
		o.t.Errorf("sub %s, uri %s", claims.Subject, ref.URI)
	}
	if got := statusArray(inflate(o.t, claims.List.List)).ended(ref.Index); got != want {
		o.t.Errorf("position %d is shown as ended: %v, want %v", ref.Index, got, want)
	}
}

// A position belongs to one session at one client, lasts as long as it, and is ended by whatever ends the session; other sessions of the
// same person, and other persons, stay as they are. What was shown as ended stays so when the service is entered again.
func TestStatusOfASession(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		taro, hanako := newAccount(), newAccount()
		home, work, hers := o.place(taro, "walled", "s1"), o.place(taro, "walled", "s2"), o.place(hanako, "walled", "s3")
		if again := o.place(taro, "walled", "s1"); again != home {
			t.Errorf("%v and then %v", home, again)
		}
		if other := o.place(taro, "walled-too", "s1"); other.URI == home.URI {
			t.Error("two clients share a list")
		}
		for _, ref := range []StatusRef{home, work, hers} {
			o.wantEnded(ref, false)
		}
		batch := o.enqueue(LogoutSession, Notice{Account: taro, Client: "walled", Session: "s1"})
		o.want(batch, "walled", Looks)
		o.wantEnded(home, true)
		o.wantEnded(work, false)
		if again := o.place(taro, "walled", "s1"); again == home {
			t.Error("entered again, and the position stands for both")
		}
		o.wantEnded(home, true)
		o.enqueue(LogoutEverywhere, Notice{Account: taro, Client: "walled"})
		o.wantEnded(work, true)
		o.wantEnded(hers, false)
		batch = o.enqueue(LogoutEverywhere, Notice{Account: newAccount(), Client: "walled"})
		o.want(batch, "walled", Unsupported) // it was given no position to look at
		o.twin().wantEnded(work, true)
	})
}

// What ends a session and what shows it as ended stand or fall together.
func TestStatusIsEndedInTheTransactionOfTheEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		taro := newAccount()
		ref := o.place(taro, "walled", "s1")
		broken := errors.New("broken")
		err := db.Tx(t.Context(), func(ctx context.Context) error {
			if _, err := o.Enqueue(ctx, LogoutSession, []Notice{{Account: taro, Client: "walled", Session: "s1"}}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		o.wantEnded(ref, false)
	})
}

// A hundred sessions at once get a hundred positions; a hundred requests of one session get one.
func TestStatusPositionsAreNeverGivenTwice(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		refs := make([]StatusRef, 100)
		var g sync.WaitGroup
		for i := range refs {
			g.Go(func() {
				var err error
				if refs[i], err = o.Status.Index(t.Context(), "taro", "walled", fmt.Sprint("s", i/2)); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
		seen := map[StatusRef]int{}
		for i, ref := range refs {
			if of, ok := seen[ref]; ok && of != i/2 || refs[i/2*2] != ref {
				t.Errorf("session %d has %v, as has %d", i/2, ref, of)
			}
			seen[ref] = i / 2
		}
		if len(seen) != 50 {
			t.Errorf("%d positions for 50 sessions", len(seen))
		}
	})
}

// A list that is full, or a day old, is followed by another; it is served until what it speaks of is long over, and then gone.
func TestStatusListsRotate(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	ref := o.place("taro", "walled", "s1")
	o.wantEnded(ref, false)
	l, _, err := findList(t.Context(), o.d.DB, strings.TrimPrefix(ref.URI, "https://hub.example"+StatusPath))
	if err != nil {
		t.Fatal(err)
	}
	err = o.d.DB.Tx(t.Context(), func(ctx context.Context) error { // everything is taken
		_, err := o.d.DB.Exec(ctx, `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
			INSERT INTO status_entry (list, idx, client, account, session, look_ms, ended_at)
			SELECT $1, i, 'walled', 'x', 'x', 0, 1 FROM n WHERE true ON CONFLICT DO NOTHING`, l.id, statusSize-1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	second := o.place("taro", "walled", "s2")
	if second.URI == ref.URI {
		t.Error("the list was full")
	}
	o.advance(listOpen + time.Second)
	third := o.place("taro", "walled", "s3")
	if third.URI == second.URI {
		t.Error("the list was a day old")
	}
	o.enqueue(LogoutSession, Notice{Account: "taro", Client: "walled", Session: "s2"})
	o.advance(listKept)
	if err := o.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.wantEnded(ref, false) // a session that lives keeps its list
	if _, err := o.Status.Token(t.Context(), strings.TrimPrefix(second.URI, "https://hub.example"+StatusPath)); !errors.Is(err, ErrNoStatusList) {
		t.Errorf("a list that speaks of nothing any more: %v", err)
	}
	o.wantEnded(third, false)
	for _, id := range []string{"", "x", strings.Repeat("A", statusIDLen), strings.Repeat("A", 5000)} {
		if _, err := o.Status.Token(t.Context(), id); !errors.Is(err, ErrNoStatusList) {
			t.Errorf("%.30q: %v", id, err)
		}
	}
}

// A session whose time ran out tells nobody; it is looked at, and one that stands is looked at again later.
func TestStatusOfSessionsThatExpire(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		gone, stays := o.place("taro", "walled", "gone"), o.place("taro", "walled", "stays")
		looked := 0
		stands := func(_ context.Context, session string, client clients.ID) (bool, error) {
			looked++
			return session == "stays" && client == "walled", nil
		}
		look := func(want int) {
			t.Helper()
			if n, err := o.Status.Look(t.Context(), stands); err != nil || n != want {
				t.Errorf("looked at %d, want %d: %v", n, want, err)
			}
		}
		look(0)
		o.advance(statusFirstLook)
		look(2)
		look(0)
		o.wantEnded(gone, true)
		o.wantEnded(stays, false)
		o.advance(statusLook)
		look(1)
		if looked != 3 {
			t.Errorf("%d questions", looked)
		}
		broken := errors.New("store away")
		o.advance(statusLook)
		if _, err := o.Status.Look(t.Context(), func(context.Context, string, clients.ID) (bool, error) { return false, broken }); !errors.Is(err, broken) {
			t.Error(err)
		}
		o.wantEnded(stays, false)
	})
}

// A session that nobody can say anything of keeps no other from being shown as ended.
func TestStatusOfASessionThatCannotBeRead(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	broken := errors.New("not to be read")
	unread := o.place("taro", "walled", "unread")
	o.advance(time.Second)
	gone := o.place("taro", "walled", "gone")
	o.advance(statusFirstLook)
	_, err := o.Status.Look(t.Context(), func(_ context.Context, session string, _ clients.ID) (bool, error) {
		if session == "unread" {
			return false, broken
		}
		return false, nil
	})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	o.wantEnded(unread, false)
	o.wantEnded(gone, true)
}

// The token is the same while nothing turns, so that caches may keep it; it is signed anew soon, and believed for minutes only. The bits of
// nobody's positions turn all the time, and are the same after a restart.
func TestStatusToken(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	ref := o.place("taro", "walled", "s1")
	claims, first := o.statusToken(ref)
	if claims.List.Bits != 1 || claims.TTL != 60 || claims.Expires-claims.IssuedAt != 300 || claims.IssuedAt != start.Unix() || claims.Issuer != "https://hub.example" {
		t.Errorf("%+v", claims)
	}
	bits := inflate(t, claims.List.List)
	if len(bits)*8 != statusSize {
		t.Errorf("%d positions", len(bits)*8)
	}
	turned := func(bits []byte) (n int) {
		for i := range statusSize {
			if statusArray(bits).ended(i) {
				n++
			}
		}
		return n
	}
	// A list that was opened just now looks as if it had been for a day.
	if n := turned(bits); n < statusSize/20 || n > statusSize/4 {
		t.Errorf("%d bits are set in a list with one live session", n)
	}
	turns := o.Status.built[strings.TrimPrefix(ref.URI, "https://hub.example"+StatusPath)].next
	quiet := max(turns.Sub(start)-time.Millisecond, 0).Truncate(time.Millisecond)
	o.advance(quiet)
	if _, again := o.statusToken(ref); again.JWT != first.JWT || again.ETag != first.ETag || again.Age != quiet {
		t.Errorf("signed anew without need: %+v", again)
	}
	o.enqueue(LogoutSession, Notice{Account: "somebody", Client: "walled", Session: "another"}) // changes nothing here
	if _, again := o.statusToken(ref); again.JWT != first.JWT {
		t.Error("signed anew without need")
	}
	o.advance(time.Hour)
	later, second := o.statusToken(ref)
	if second.JWT == first.JWT || second.ETag == first.ETag || turned(inflate(t, later.List.List)) <= turned(bits) {
		t.Error("an hour later nothing has turned")
	}
	if twin, _ := o.twin().statusToken(ref); twin.List != later.List {
		t.Error("another process shows other bits")
	}
}

// A list that another process removed is gone here too: from what is left of it every session would seem to stand.
func TestStatusListRemovedByAnotherProcess(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := newOutbox(t, db)
		ref := o.place("taro", "walled", "s1")
		o.enqueue(LogoutSession, Notice{Account: "taro", Client: "walled", Session: "s1"})
		o.wantEnded(ref, true)
		o.advance(listOpen + listKept)
		if err := o.twin().expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if token, err := o.Status.Token(t.Context(), strings.TrimPrefix(ref.URI, "https://hub.example"+StatusPath)); !errors.Is(err, ErrNoStatusList) {
			t.Errorf("ETag %s, %v", token.ETag, err)
		}
	})
}

// A token says something new as soon as anything turns, whether it stands for somebody or not: otherwise what turns out of turn is a person.
func TestStatusTokenTellsNobodyFromSomebody(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	ref := o.place("taro", "walled", "s1")
	l, _, err := findList(t.Context(), o.d.DB, strings.TrimPrefix(ref.URI, "https://hub.example"+StatusPath))
	if err != nil {
		t.Fatal(err)
	}
	anew, signed := 0, int64(-1)
	for range 300 {
		claims, _ := o.statusToken(ref)
		now := o.d.Now()
		bits := statusArray(inflate(t, claims.List.List))
		for i := range statusSize {
			if at, decoy := l.decoys().at(i); decoy && bits.ended(i) == now.Before(at) {
				t.Fatalf("position %d turns at %v, and at %v it is shown as ended: %v", i, at, now, bits.ended(i))
			}
		}
		if claims.IssuedAt != signed && signed >= 0 && claims.IssuedAt-signed < int64(statusFresh/time.Second) {
			anew++
		}
		signed = claims.IssuedAt
		o.advance(time.Second)
	}
	if anew == 0 {
		t.Error("in five minutes nothing turned out of turn")
	}
}

// A clock that is put back makes no copy last longer.
func TestStatusTokenWhenTheClockGoesBack(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	ref := o.place("taro", "walled", "s1")
	o.statusToken(ref)
	o.advance(-time.Hour)
	claims, token := o.statusToken(ref)
	if token.Age != 0 || claims.IssuedAt != o.d.Now().Unix() {
		t.Errorf("age %v, issued %v ahead", token.Age, time.Unix(claims.IssuedAt, 0).Sub(o.d.Now()))
	}
}

func BenchmarkStatusToken(b *testing.B) {
	o := newOutbox(b, sqldbtest.Open(b))
	var ref StatusRef
	for i := range 2000 {
		ref = o.place("taro", "walled", fmt.Sprint(i))
		if i%2 == 0 {
			o.enqueue(LogoutSession, Notice{Account: "taro", Client: "walled", Session: fmt.Sprint(i)})
		}
	}
	id := strings.TrimPrefix(ref.URI, "https://hub.example"+StatusPath)
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			if _, err := o.Status.Token(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("built", func(b *testing.B) {
		for b.Loop() {
			o.advance(statusFresh)
			if _, err := o.Status.Token(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("place", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n++
			o.place("taro", "walled", fmt.Sprint("b", n))
		}
	})
}
