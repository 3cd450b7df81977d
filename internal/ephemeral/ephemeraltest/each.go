package ephemeraltest

import (
	"context"
	"crypto/rand"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// RedisEnv names the environment variable that holds host:port of a Redis server for tests.
const RedisEnv = "TSUNAGU_TEST_REDIS"

// Each runs fn as a subtest on every store there is, each empty: SQL on SQLite, SQL on PostgreSQL, Redis. A store whose server
// is not given is skipped, and says so. The stores go by the real time.
func Each(t *testing.T, fn func(t *testing.T, s ephemeral.Store)) {
	t.Helper()
	each(t, func(t *testing.T, s ephemeral.Store, _ func(time.Duration)) { fn(t, s) })
}

// Open returns the store that is always there, SQL on SQLite, by the real time.
func Open(t testing.TB) *ephemeral.SQL {
	t.Helper()
	s, _ := openSQL(t, sqldbtest.Open(t))
	return s
}

// each is Each with a way to let time pass: the clock of the SQL stores is moved, Redis has to be waited for.
func each(t *testing.T, fn func(t *testing.T, s ephemeral.Store, advance func(time.Duration))) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s, advance := openSQL(t, db)
		fn(t, s, advance)
	})
	t.Run("redis", func(t *testing.T) { fn(t, OpenRedis(t), time.Sleep) })
}

func openSQL(t testing.TB, db *sqldb.DB) (*ephemeral.SQL, func(time.Duration)) {
	t.Helper()
	c := &clock{}
	s, err := ephemeral.NewSQL(t.Context(), db, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, c.advance
}

// OpenRedis returns a store on the test server under a prefix of its own. It skips the test if there is no server.
func OpenRedis(t testing.TB) *ephemeral.Redis {
	t.Helper()
	addr := os.Getenv(RedisEnv) //nolint:forbidigo // the address of the test server is given by make test
	if addr == "" {
		t.Skipf("no Redis: %s is not set; run `make test`, or `go run ./internal/testenv go test ./...`", RedisEnv)
	}
	client := redis.NewClient(&redis.Options{Addr: addr})
	prefix := "test:" + rand.Text() + ":"
	t.Cleanup(func() {
		ctx := context.Background() // t.Context has ended
		keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for keys.Next(ctx) {
			client.Del(ctx, keys.Val())
		}
		if err := keys.Err(); err != nil {
			t.Errorf("clean up redis: %v", err)
		}
		if err := client.Close(); err != nil {
			t.Errorf("close redis: %v", err)
		}
	})
	return ephemeral.NewRedis(client, prefix)
}

// clock is the real time plus what was advanced.
type clock struct {
	mu   sync.Mutex
	plus time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.plus) //nolint:forbidigo // for tests
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plus += d
}
