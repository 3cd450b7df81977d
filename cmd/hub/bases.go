package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// basesCommand is what the flags about legal bases ask for.
type basesCommand struct {
	file        string // to import
	version     int64  // to approve
	list        bool
	as          string
	from, until string
}

// define adds the flags.
func (b *basesCommand) define(f *flag.FlagSet) {
	f.StringVar(&b.file, "import-bases", "", "propose this CSV file as a new set of legal bases and exit; needs -as")
	f.Int64Var(&b.version, "approve-bases", 0, "approve the set of legal bases of this version and exit; needs -as, of another person than who proposed it")
	f.BoolVar(&b.list, "list-bases", false, "list the sets of legal bases and exit")
	f.StringVar(&b.as, "as", "", "who imports, approves or reads")
	f.StringVar(&b.from, "from", "", "with -approve-bases: the first day in force, YYYY-MM-DD in Japan; now, if not given")
	f.StringVar(&b.until, "until", "", "with -approve-bases: the last day in force; a year, if not given")
}

// wanted says whether any of it was asked for.
func (b *basesCommand) wanted() bool { return b.file != "" || b.version != 0 || b.list }

// period reads -from and -until.
func (b *basesCommand) period() (from, until time.Time, err error) {
	if b.from != "" {
		if from, err = exchange.ParseDate(b.from); err != nil {
			return from, until, fmt.Errorf("-from: %w", err)
		}
	}
	if b.until != "" {
		if until, err = exchange.ParseDate(b.until); err != nil {
			return from, until, fmt.Errorf("-until: %w", err)
		}
		until = until.AddDate(0, 0, 1)
	}
	return from, until, nil
}

// run does the one thing that was asked for.
func (b *basesCommand) run(ctx context.Context, c config) error {
	asked := 0
	for _, on := range []bool{b.file != "", b.version != 0, b.list} {
		if on {
			asked++
		}
	}
	if asked != 1 {
		return errors.New("one of -import-bases, -approve-bases and -list-bases at a time")
	}
	from, until, err := b.period()
	if err != nil {
		return err
	}
	dsn, err := c.dsn()
	if err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { _ = db.Close() }() // everything was committed
	bases, err := hub.Bases(ctx, db, time.Now)
	if err != nil {
		return err
	}
	if b.list {
		sets, err := bases.Sets(ctx)
		for _, s := range sets {
			fmt.Println(hub.SetSummary(s))
		}
		return err
	}
	var s exchange.Set
	if b.file != "" {
		s, err = b.propose(ctx, bases)
	} else {
		s, err = bases.Approve(ctx, b.version, b.as, from, until)
	}
	if err != nil {
		return err
	}
	fmt.Println(hub.SetSummary(s))
	return nil
}

func (b *basesCommand) propose(ctx context.Context, bases *exchange.Register) (exchange.Set, error) {
	f, err := os.Open(b.file)
	if err != nil {
		return exchange.Set{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	s, err := bases.Propose(ctx, f, b.as)
	if _, bad := errors.AsType[*exchange.FileError](err); bad {
		return s, fmt.Errorf("%s: nothing was stored\n%w", b.file, err)
	}
	return s, err
}
