package clients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

func TestManagementReads(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	made := d.register(map[string]any{"initiate_login_uri": "https://rp.example/start"})
	got := d.call(http.MethodGet, made.text("registration_client_uri"), made.text("registration_access_token"), nil)
	if got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	delete(made.body, "client_secret")
	delete(made.body, "client_secret_expires_at")
	if fmt.Sprint(got.body) != fmt.Sprint(made.body) {
		t.Errorf("read %v, registered %v", got.body, made.body)
	}
}

func TestManagementNeedsTheClientsOwnToken(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	one, two := d.register(nil), d.register(nil)
	secret := keys.RandomSecret()
	_, err := d.registry.put(t.Context(), metadata(t, "seeded", nil), &secret)
	must(t, err)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		for name, c := range map[string]struct{ path, token string }{
			"none":                {one.text("registration_client_uri"), ""},
			"another client's":    {one.text("registration_client_uri"), two.text("registration_access_token")},
			"the initial one":     {one.text("registration_client_uri"), initialToken},
			"its secret":          {one.text("registration_client_uri"), one.text("client_secret")},
			"of an unknown one":   {"/register/nobody", one.text("registration_access_token")},
			"of a seeded client":  {"/register/seeded", one.text("registration_access_token")},
			"of an odd client id": {"/register/a%20b", one.text("registration_access_token")},
		} {
			r := d.call(method, c.path, c.token, basicBody(nil))
			if r.status != http.StatusUnauthorized || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s, token %s: %d", method, name, r.status)
			}
		}
	}
}

// RFC 7592 §2.2: a full replacement. The suite sends back what it was answered.
func TestManagementReplaces(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	made := d.register(map[string]any{"policy_uri": "https://rp.example/privacy"})
	uri, token := made.text("registration_client_uri"), made.text("registration_access_token")
	body := maps.Clone(made.body)
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		delete(body, name)
	}
	same := d.call(http.MethodPut, uri, token, body)
	if same.status != http.StatusOK || fmt.Sprint(same.body) != fmt.Sprint(made.body) || d.client(made).Version() != 1 {
		t.Fatalf("the same again: %d %s", same.status, same.raw)
	}
	delete(body, "policy_uri")
	delete(body, "client_secret")
	body["client_name"] = "B"
	changed := d.call(http.MethodPut, uri, token, body)
	if c := d.client(made); changed.status != http.StatusOK || changed.body["policy_uri"] != nil || c.Name("ja") != "B" || c.PolicyURI() != "" || c.Version() != 2 ||
		changed.text("registration_access_token") != token || changed.text("client_secret") != "" {
		t.Errorf("changed: %d %s", changed.status, changed.raw)
	}
	if _, err := d.registry.Authenticate(t.Context(), Credentials{id: d.client(made).ID(), method: SecretBasic, proof: keys.NewSecret([]byte(made.text("client_secret")))}, AssertionRules{}); err != nil {
		t.Errorf("the secret changed: %v", err)
	}
	// To another method and back: the old secret is gone, a new one is drawn.
	body["token_endpoint_auth_method"], body["jwks"] = "private_key_jwt", jwks(t, newECKey(t, "a"))
	if r := d.call(http.MethodPut, uri, token, body); r.status != http.StatusOK || r.text("client_secret") != "" {
		t.Errorf("to keys: %d %s", r.status, r.raw)
	}
	body["token_endpoint_auth_method"] = "client_secret_post"
	if r := d.call(http.MethodPut, uri, token, body); r.status != http.StatusOK || r.text("client_secret") == "" || r.text("client_secret") == made.text("client_secret") {
		t.Errorf("back to a secret: %d %s", r.status, r.raw)
	}
	if n := len(d.events); d.events[n-1].Kind != eventUpdated {
		t.Errorf("audit %+v", d.events)
	}
}

func TestManagementRefusesUpdates(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	made := d.register(nil)
	uri, token, id := made.text("registration_client_uri"), made.text("registration_access_token"), made.text("client_id")
	for name, more := range map[string]map[string]any{
		"without client_id":     nil,
		"another client_id":     {"client_id": "other"},
		"another secret":        {"client_id": id, "client_secret": initialToken},
		"what the hub says":     {"client_id": id, "registration_access_token": token},
		"another sector":        {"client_id": id, "redirect_uris": []string{"https://elsewhere.example/cb"}},
		"a scope of the portal": {"client_id": id, "scope": "openid links"},
	} {
		if r := d.call(http.MethodPut, uri, token, basicBody(more)); r.status != http.StatusBadRequest || r.text("error") != codeMetadata {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	if v := d.client(made).Version(); v != 1 {
		t.Errorf("version %d", v)
	}
}

// What the operator said of a client was said of what an update replaces.
func TestUpdateEndsVerification(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	made := d.register(nil)
	m := d.client(made).m
	m.Verified, m.Operator = true, "株式会社見本"
	_, err := d.registry.put(t.Context(), m, nil)
	must(t, err)
	if !d.client(made).Verified() {
		t.Fatal("not verified")
	}
	r := d.call(http.MethodPut, made.text("registration_client_uri"), made.text("registration_access_token"), basicBody(map[string]any{"client_id": made.text("client_id"), "client_name": "銀行"}))
	if c := d.client(made); r.status != http.StatusOK || c.Verified() || c.Operator() != "rp.example" {
		t.Errorf("%d, %+v", r.status, c.m)
	}
}

func TestDeletedClientIsGone(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		d := newDesk(t, db, nil)
		made := d.register(nil)
		uri, token, id := made.text("registration_client_uri"), made.text("registration_access_token"), ID(made.text("client_id"))
		m := d.client(made).m
		if r := d.call(http.MethodDelete, uri, token, nil); r.status != http.StatusNoContent || r.raw != "" {
			t.Fatalf("%d %s", r.status, r.raw)
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if r := d.call(method, uri, token, basicBody(map[string]any{"client_id": id})); r.status != http.StatusUnauthorized {
				t.Errorf("%s afterwards: %d", method, r.status)
			}
		}
		if _, err := d.registry.Get(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("found: %v", err)
		}
		secret := keys.NewSecret([]byte(made.text("client_secret")))
		if _, err := d.registry.Authenticate(t.Context(), Credentials{id: id, method: SecretBasic, proof: secret}, AssertionRules{}); reasonOf(err) != UnknownClient {
			t.Errorf("authenticates: %v", err)
		}
		if _, err := d.registry.put(t.Context(), m, &secret); faultsOf(err) != "client_id" {
			t.Errorf("came back: %v", err)
		}
		if err := d.registry.Resume(t.Context(), id, forTest); refusalOf(err) != WrongState {
			t.Errorf("resumed: %v", err)
		}
		if list, err := d.registry.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("listed: %v, %v", idsOf(list), err)
		}
		if d.events[len(d.events)-1].Kind != eventDeleted {
			t.Errorf("audit %+v", d.events)
		}
	})
}

func TestSuspendedClientCannotManageItself(t *testing.T) {
	d := newDesk(t, sqldbtest.Open(t), nil)
	made := d.register(nil)
	must(t, d.registry.Suspend(t.Context(), ID(made.text("client_id")), forTest))
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		r := d.call(method, made.text("registration_client_uri"), made.text("registration_access_token"), basicBody(map[string]any{"client_id": made.text("client_id")}))
		if r.status != http.StatusForbidden {
			t.Errorf("%s: %d", method, r.status)
		}
	}
}

// A hundred at once: one delete wins, updates before it succeed, everything after it
// is 401, and nothing else is answered.
func TestConcurrentManagementHasOneDeletion(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		d := newDesk(t, db, nil)
		made := d.register(nil)
		uri, token := made.text("registration_client_uri"), made.text("registration_access_token")
		var deleted, updated, gone atomic.Int64
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				method := http.MethodDelete
				if i%2 == 0 {
					method = http.MethodPut
				}
				r := d.call(method, uri, token, basicBody(map[string]any{"client_id": made.text("client_id"), "client_name": fmt.Sprint("name ", i)}))
				switch {
				case r.status == http.StatusNoContent && method == http.MethodDelete:
					deleted.Add(1)
				case r.status == http.StatusOK && method == http.MethodPut:
					updated.Add(1)
				case r.status == http.StatusUnauthorized:
					gone.Add(1)
				default:
					t.Errorf("%s: %d %s", method, r.status, r.raw)
				}
			})
		}
		wg.Wait()
		if deleted.Load() != 1 || len(d.failures) > 0 {
			t.Errorf("%d deleted, %d updated, %d came too late, failures %v", deleted.Load(), updated.Load(), gone.Load(), d.failures)
		}
		var left int64
		must(t, db.QueryRow(t.Context(), `SELECT clients FROM client_policy WHERE name = 'test'`).Scan(&left))
		if left != 0 {
			t.Errorf("%d clients counted", left)
		}
	})
}

// An update that was under way when an operator suspended the client changes nothing.
func TestAnUpdateDoesNotOutrunASuspension(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		d := newDesk(t, db, nil)
		ctx, id := t.Context(), ID(d.register(nil).text("client_id"))
		c, err := d.registry.Get(ctx, id)
		must(t, err)
		must(t, d.registry.Suspend(ctx, id, Because{By: "op_guard", Reason: "reported by citizens"}))
		m := c.m
		m.ClientName.JA = "別の名前"
		_, err = d.registry.replace(ctx, m, nil, Policy{Name: "any"}, "", func(context.Context) error { return nil })
		if !errors.Is(err, errSuspendedMeanwhile) {
			t.Errorf("%v", err)
		}
		if v, _, err := d.registry.Versions(ctx, id, 0, 10); err != nil || len(v) != 1 {
			t.Errorf("%d versions, %v", len(v), err)
		}
	})
}
