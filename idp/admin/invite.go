package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// inviteLife is how long an invitation may be taken up.
const inviteLife = 3 * 24 * time.Hour

// Invite makes an operator in a hub's database, whether that hub runs or not: the first one, who can invite others by the API, or one who
// gets a hub back that nobody can get into. Its error is a *Error about what n asks, or the database's.
func Invite(ctx context.Context, db *sqldb.DB, now func() time.Time, n adminapi.NewOperator) (adminapi.Invitation, error) {
	log, err := audit.New(ctx, db, now)
	if err != nil {
		return adminapi.Invitation{}, fmt.Errorf("audit log: %w", err)
	}
	if err := migrate(ctx, db); err != nil {
		return adminapi.Invitation{}, fmt.Errorf("admin: %w", err)
	}
	registry, err := clients.Open(ctx, clients.Deps{DB: db, Now: now, Record: log.Append})
	if err != nil {
		return adminapi.Invitation{}, fmt.Errorf("clients: %w", err)
	}
	o := &operators{db: db, audit: log, now: now}
	return o.invite(ctx, registry, byHand, n)
}

// invite makes an operator: of a program at once, of a person when she joins.
func (o *operators) invite(ctx context.Context, registry *clients.Registry, by string, n adminapi.NewOperator) (adminapi.Invitation, error) {
	if err := checkNew(ctx, registry, n); err != nil {
		return adminapi.Invitation{}, err
	}
	now := o.now()
	row := operatorRow{id: newOperatorID(), name: n.Name, words: wordsOf(n.Roles), organisation: n.Organisation, since: now.Unix()}
	out := adminapi.Invitation{}
	var digest []byte
	if n.Client != "" {
		row.client.String, row.client.Valid = n.Client, true
	} else {
		out.Code, digest = newCode()
		out.Until = now.Add(inviteLife).UTC().Truncate(time.Second)
		row.codeUntil = out.Until.Unix()
	}
	err := o.alone(ctx, func(ctx context.Context) error {
		if n.Client != "" {
			if _, found, err := o.find(ctx, `client = $1`, n.Client); err != nil {
				return err
			} else if found {
				return refuse(adminapi.WrongState, "This program is an operator already; change its roles instead.")
			}
		}
		if err := o.insert(ctx, row, digest); err != nil {
			return err
		}
		return o.record(ctx, eventInvited, by, row, "")
	})
	if err != nil {
		return adminapi.Invitation{}, err
	}
	out.Operator = row.shown()
	return out, nil
}

// checkNew judges what is asked, beyond what the tags of the type say, which hubctl does not pass.
func checkNew(ctx context.Context, registry *clients.Registry, n adminapi.NewOperator) error {
	switch length := len([]rune(n.Name)); {
	case length < 2 || length > 64 || strings.TrimSpace(n.Name) != n.Name || !plainName(n.Name):
		return fault("name", "is not a name of 2 to 64 characters", "write what the others know her by")
	case len(n.Roles) == 0:
		return fault("roles", "is empty", "give at least viewer")
	}
	for _, r := range n.Roles {
		if !slices.Contains(adminapi.Roles(), r) {
			return fault("roles", "has a role that is not known here", "write some of viewer, editor, approver, security")
		}
	}
	if err := checkOrganisation(ctx, registry, n.Organisation); err != nil {
		return err
	}
	if n.Client == "" {
		return nil
	}
	if err := checkProgram(n.Roles); err != nil {
		return err
	}
	id, err := clients.ParseID(n.Client)
	if err != nil {
		return fault("client", "is not a client id", "write that of a registered program")
	}
	c, err := registry.Get(ctx, id)
	if errors.Is(err, clients.ErrUnknown) || errors.Is(err, clients.ErrSuspended) {
		return fault("client", "is not registered, or not live", "register the program first")
	}
	if err != nil {
		return fmt.Errorf("find client: %w", err)
	}
	if !slices.Contains(c.Scopes(), clients.ScopeAdmin) || !slices.Contains(c.GrantTypes(), clients.GrantClientCredentials) {
		return fault("client", "gets no tokens of its own with scope admin", "register it with grant_types client_credentials and scope admin")
	}
	return nil
}

// checkProgram: what takes a person's judgement, or undoes it, is not for programs.
func checkProgram(roles []adminapi.Role) error {
	if slices.Contains(roles, adminapi.Approver) || slices.Contains(roles, adminapi.Security) {
		return fault("roles", "has approver or security, which programs never have", "leave both out")
	}
	return nil
}

// plainName refuses what would let one name look like another, or break a line.
func plainName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
	})
}

// record writes what happened to an operator, in the transaction in ctx.
func (o *operators) record(ctx context.Context, kind audit.Kind, by string, r operatorRow, why string) error {
	facts := map[string]string{"operator": r.id, "roles": r.words}
	if r.organisation != "" {
		facts["organisation"] = r.organisation
	}
	if r.suspended {
		facts["suspended"] = "yes"
	}
	if why != "" {
		facts["why"] = why
	}
	return o.audit.Append(ctx, audit.Event{Kind: kind, Actor: by, Client: r.client.String, Account: r.account.String, Facts: facts, Trace: trace(ctx)})
}

// codeLetters cannot be mistaken for one another when somebody reads them out.
const codeLetters = "BCDFGHJKLMNPQRSTVWXZ23456789"

// codeLength makes 96 bits: nobody guesses one, and its digest gives none away.
const codeLength = 20

// newCode draws an invitation: as it is shown, in groups of four, and its digest.
func newCode() (shown string, digest []byte) {
	var letters [codeLength]byte
	for i := 0; i < codeLength; {
		var b [1]byte
		_, _ = rand.Read(b[:]) // cannot fail since Go 1.24
		if n := int(b[0]); n < 256/len(codeLetters)*len(codeLetters) {
			letters[i] = codeLetters[n%len(codeLetters)]
			i++
		}
	}
	groups := make([]string, 0, codeLength/4)
	for g := range slices.Chunk(letters[:], 4) {
		groups = append(groups, string(g))
	}
	return strings.Join(groups, "-"), digestOf(string(letters[:]))
}

// parseCode reads what somebody typed: small letters, spaces and lines between groups are forgiven.
func parseCode(typed string) (digest []byte, ok bool) {
	var out strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch {
		case r == '-' || unicode.IsSpace(r):
		case strings.ContainsRune(codeLetters, r):
			out.WriteRune(r)
		default:
			return nil, false
		}
	}
	return digestOf(out.String()), out.Len() == codeLength
}

func digestOf(code string) []byte {
	sum := sha256.Sum256([]byte("operator invitation\x00" + code))
	return sum[:]
}
