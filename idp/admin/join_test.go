package admin_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestAnInvitationHasOneWinner: a hundred people type one code at once, on either database; one becomes the operator.
func TestAnInvitationHasOneWinner(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		i, err := admin.Invite(t.Context(), db, time.Now, adminapi.NewOperator{Name: "one of them", Roles: []adminapi.Role{adminapi.Viewer}})
		if err != nil {
			t.Fatal(err)
		}
		join := admin.Joiner(t, db, time.Now)
		won := at(100, func(n int) error { return join(t.Context(), fmt.Sprintf("account-%d", n), i.Code) })
		if won != 1 {
			t.Errorf("%d joined", won)
		}
	})
}

// TestAPersonJoinsOnce: whoever types many codes at once is one operator; the other codes stay good.
func TestAPersonJoinsOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		var codes []string
		for range 20 {
			i, err := admin.Invite(t.Context(), db, time.Now, adminapi.NewOperator{Name: "somebody", Roles: []adminapi.Role{adminapi.Viewer}})
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, i.Code)
		}
		join := admin.Joiner(t, db, time.Now)
		if won := at(len(codes), func(n int) error { return join(t.Context(), "account", codes[n]) }); won != 1 {
			t.Errorf("joined %d times", won)
		}
		if won := at(len(codes), func(n int) error { return join(t.Context(), fmt.Sprint("other-", n), codes[n]) }); won != len(codes)-1 {
			t.Errorf("%d of the codes are left", won)
		}
	})
}

// TestAnInvitationEnds three days after it was made.
func TestAnInvitationEnds(t *testing.T) {
	clock := time.Now()
	now := func() time.Time { return clock }
	db := sqldbtest.Open(t)
	i, err := admin.Invite(t.Context(), db, now, adminapi.NewOperator{Name: "too late", Roles: []adminapi.Role{adminapi.Viewer}})
	if err != nil {
		t.Fatal(err)
	}
	clock = i.Until
	if err := admin.Joiner(t, db, now)(context.Background(), "account", i.Code); refusalOf(err) != adminapi.Invalid {
		t.Errorf("%v", err)
	}
	clock = i.Until.Add(-time.Second)
	if err := admin.Joiner(t, db, now)(context.Background(), "account", i.Code); err != nil {
		t.Errorf("%v", err)
	}
}

// at runs f n times at once and counts the successes. Other failures than refusals end the test.
func at(n int, f func(int) error) (won int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		wg.Go(func() {
			err := f(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if refusalOf(err) == "" {
				panic(err)
			}
		})
	}
	wg.Wait()
	return won
}

func refusalOf(err error) adminapi.Reason {
	if e, ok := errors.AsType[*admin.Error](err); ok {
		return e.Reason
	}
	return ""
}
