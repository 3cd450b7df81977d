package ephemeral

import "github.com/redis/go-redis/v9"

// RedisAddress says where Redis is: one address for a single server, several for a cluster, and with Master the sentinels that know
// it.
type RedisAddress struct {
	Addresses []string
	Master    string
	Password  string
}

// DialRedis returns a store on Redis and what closes its connections. Nothing is dialled before the first use.
func DialRedis(a RedisAddress, prefix string) (s *Redis, closeAll func() error) {
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: a.Addresses, MasterName: a.Master, Password: a.Password})
	return NewRedis(c, prefix), c.Close
}
