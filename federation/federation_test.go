package federation

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// start is a whole second so that what comes back from SQL compares equal.
var start = time.Unix(1_795_000_000, 0)

func now() time.Time { return start }

func newAccount() AccountID { return AccountID(rand.Text()) }

// open returns the registers over db, with the log their moves are written to.
func open(t testing.TB, db *sqldb.DB) (*Subjects, *Links, *audit.Log) {
	t.Helper()
	log, err := audit.New(t.Context(), db, now)
	if err != nil {
		t.Fatal(err)
	}
	subjects, links, err := Open(t.Context(), Deps{DB: db, Audit: log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return subjects, links, log
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	if _, _, err := Open(t.Context(), Deps{}); err == nil {
		t.Error("Open accepted empty Deps")
	}
}
