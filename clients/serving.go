package clients

import (
	"context"
	"fmt"
	"slices"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// ServerOf returns the client that serves a resource (RFC 8707), from memory if it
// can. The errors are those of Get: a suspended server still keeps its resource.
func (r *Registry) ServerOf(ctx context.Context, resource string) (*Client, error) {
	cache, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	known := cache.servers.Load()
	if known == nil {
		list, err := listServers(ctx, r.d.DB)
		if err != nil {
			return nil, err
		}
		servers := make(map[string]*Client)
		for _, c := range list {
			for _, s := range c.m.Serves {
				servers[s] = c
			}
		}
		known = &servers
		cache.servers.Store(known)
	}
	c, there := (*known)[resource]
	switch {
	case !there:
		return nil, ErrUnknown
	case c.suspended:
		return c, ErrSuspended
	}
	return c, nil
}

// checkServed refuses a resource that another client serves: whoever serves it
// reads the tokens meant for it. It runs in the transaction that stores m.
func (r *Registry) checkServed(ctx context.Context, m Metadata) error {
	if len(m.Serves) == 0 {
		return nil
	}
	list, err := listServers(ctx, r.d.DB)
	if err != nil {
		return err
	}
	var faults FieldErrors
	for i, s := range m.Serves {
		if slices.ContainsFunc(list, func(c *Client) bool { return c.ID() != m.ClientID && slices.Contains(c.m.Serves, s) }) {
			faults.add(element("serves", i), "is served by another client", "a resource has one resource server")
		}
	}
	return faults.orNil()
}

// listServers returns the clients that serve something, suspended ones too.
func listServers(ctx context.Context, db *sqldb.DB) ([]*Client, error) {
	// The text of the metadata is ours; that a name may contain the word as well does no harm.
	rows, err := db.Query(ctx, selectClient+` WHERE c.status <> $1 AND v.metadata LIKE '%"serves"%' ORDER BY c.id`, statusRetired)
	if err != nil {
		return nil, fmt.Errorf("list resource servers: %w", err)
	}
	defer rows.Close()
	var out []*Client
	for rows.Next() {
		var row clientRow
		if err := row.scan(rows.Scan); err != nil {
			return nil, fmt.Errorf("list resource servers: %w", err)
		}
		c, err := clientOf(row)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list resource servers: %w", err)
	}
	return out, nil
}
