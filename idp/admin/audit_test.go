package admin_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestAuditIsSearchedAndExported: the newest first, a page at a time; all of it as lines; and that somebody took it away is in it.
func TestAuditIsSearchedAndExported(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, o := h.Operator(t, "hanako", "", adminapi.Roles()...)
	var list adminapi.AuditList
	h.Call(t, hanako, http.MethodGet, "/api/audit?limit=3", nil).Into(t, &list)
	if len(list.Items) != 3 || list.Next == "" || list.More || list.Items[0].Seq < list.Items[2].Seq {
		t.Fatalf("%+v", list)
	}
	first, next := list.Items, list.Next
	list = adminapi.AuditList{}
	h.Call(t, hanako, http.MethodGet, "/api/audit?limit=3&after="+url.QueryEscape(next), nil).Into(t, &list)
	if len(list.Items) == 0 || list.Items[0].Seq != first[2].Seq-1 || list.Items[0].Hash != first[2].Prev {
		t.Fatalf("%+v", list)
	}
	h.Call(t, hanako, http.MethodGet, "/api/audit?kind=login.succeeded&client="+admintest.ConsoleID, nil).Into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Kind != "login.succeeded" || list.Items[0].Client != admintest.ConsoleID {
		t.Fatalf("%+v", list)
	}
	row := list.Items[0]
	h.Call(t, hanako, http.MethodGet, "/api/audit?kind=login.succeeded&to="+row.At.UTC().Format(time.RFC3339), nil).Into(t, &list)
	if len(list.Items) != 0 {
		t.Fatalf("before it happened: %+v", list)
	}
	for _, bad := range []string{"?after=x", "?limit=0", "?limit=1001", "?from=yesterday", "?who=me"} {
		if p := h.Call(t, hanako, http.MethodGet, "/api/audit"+bad, nil).Problem(t); p.Reason != adminapi.Invalid || len(p.Errors) != 1 {
			t.Errorf("%s: %+v", bad, p)
		}
	}

	a := h.Call(t, hanako, http.MethodGet, "/api/audit/export?client="+admintest.ConsoleID, nil)
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatal(a.Status, a.Header)
	}
	lines := bufio.NewScanner(bytes.NewReader(a.Body))
	last, n := int64(0), 0
	for ; lines.Scan(); n++ {
		var r adminapi.AuditRow
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Seq <= last || r.Client != admintest.ConsoleID {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		last = r.Seq
	}
	if n < 2 {
		t.Errorf("%d lines", n)
	}
	h.Call(t, hanako, http.MethodGet, "/api/audit?kind=audit.exported", nil).Into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Actor != o.ID || list.Items[0].Facts["filters"] != "client" {
		t.Errorf("%+v", list.Items)
	}
}

// TestAuditCheckpointConvicts: what was signed is kept by somebody else; then rows are altered, and verification says where.
func TestAuditCheckpointConvicts(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, o := h.Operator(t, "hanako", "", adminapi.Roles()...)
	var c adminapi.Checkpoint
	h.Call(t, hanako, http.MethodPost, "/api/audit/checkpoints", nil).Into(t, &c)
	payload, err := h.Keys.Verify(c.JWS, "audit-checkpoint+jwt")
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Iss, Hash string
		Seq       int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Iss != h.Issuer || claims.Seq != c.Seq || claims.Hash != c.Hash {
		t.Fatalf("%s: %v", payload, err)
	}
	var check adminapi.AuditCheck
	verify := func(checkpoint string) adminapi.AuditCheck {
		t.Helper()
		check = adminapi.AuditCheck{}
		h.Call(t, hanako, http.MethodPost, "/api/audit/verify", adminapi.VerifyAudit{Checkpoint: checkpoint}).Into(t, &check)
		return check
	}
	if v := verify(""); !v.Whole || v.Rows != c.Seq+1 {
		t.Fatalf("%+v", v)
	}
	if v := verify(c.JWS); !v.Whole {
		t.Fatalf("%+v", v)
	}
	head, rest, _ := strings.Cut(c.JWS, ".")
	_, sig, _ := strings.Cut(rest, ".")
	forged := head + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+h.Issuer+`","seq":1,"hash":"00"}`)) + "." + sig
	for _, foreign := range []string{forged, "x", "..", h.Token(t, "hanako")} {
		if p := h.Call(t, hanako, http.MethodPost, "/api/audit/verify", adminapi.VerifyAudit{Checkpoint: foreign}).Problem(t); p.Reason != adminapi.Invalid || p.Errors[0].Field != "checkpoint" {
			t.Errorf("%.20s: %+v", foreign, p)
		}
	}
	var list adminapi.CheckpointList
	h.Call(t, hanako, http.MethodGet, "/api/audit/checkpoints", nil).Into(t, &list)
	if len(list.Items) != 1 || list.Items[0].JWS != c.JWS {
		t.Fatalf("%+v", list)
	}
	var told adminapi.AuditList
	h.Call(t, hanako, http.MethodGet, "/api/audit?kind=audit.checkpoint", nil).Into(t, &told)
	if len(told.Items) != 1 || told.Items[0].Actor != o.ID {
		t.Errorf("%+v", told)
	}

	execute(t, h.DB, `UPDATE audit_event SET account = 'mallory' WHERE seq = 2`)
	if v := verify(""); v.Whole || v.Seq != 2 || v.Why != "altered" {
		t.Errorf("%+v", v)
	}
	var r adminapi.Retention
	h.Call(t, hanako, http.MethodGet, "/api/audit/retention", nil).Into(t, &r)
	if r.Days != 0 || r.First != 1 {
		t.Errorf("%+v", r)
	}
	execute(t, h.DB, `UPDATE audit_event SET account = 'mallory' WHERE seq = $1`, c.Seq+1)
	if p := h.Call(t, hanako, http.MethodPost, "/api/audit/checkpoints", nil).Problem(t); p.Reason != adminapi.WrongState || !strings.Contains(p.Detail, "altered") {
		t.Errorf("signed over a broken log: %+v", p)
	}
}

// TestKeysAreRotatedByAnOperator: a successor is announced, once, and that is audited.
func TestKeysAreRotatedByAnOperator(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, o := h.Operator(t, "hanako", "", adminapi.Roles()...)
	var before, after adminapi.KeyList
	h.Call(t, hanako, http.MethodGet, "/api/keys", nil).Into(t, &before)
	rotate := adminapi.Rotate{Alg: "ES256", Reason: "yearly"}
	h.Call(t, hanako, http.MethodPost, "/api/keys/rotate", rotate).Into(t, &after)
	if len(before.Items) == 0 || len(after.Items) != len(before.Items)+1 || after.Items[0].Alg != "ES256" || after.Items[0].State != "next" || after.Items[0].To.IsZero() ||
		after.Items[1].State != "current" || !after.Items[1].To.Equal(after.Items[0].To) {
		t.Fatalf("%+v", after)
	}
	if p := h.Call(t, hanako, http.MethodPost, "/api/keys/rotate", rotate).Problem(t); p.Reason != adminapi.WrongState {
		t.Errorf("%+v", p)
	}
	if p := h.Call(t, hanako, http.MethodPost, "/api/keys/rotate", adminapi.Rotate{Alg: "none", Reason: "yearly"}).Problem(t); p.Reason != adminapi.Invalid || p.Errors[0].Field != "alg" {
		t.Errorf("%+v", p)
	}
	var told adminapi.AuditList
	h.Call(t, hanako, http.MethodGet, "/api/audit?kind=key.announced", nil).Into(t, &told)
	if len(told.Items) != 1 || told.Items[0].Actor != o.ID || told.Items[0].Reason != "ES256" {
		t.Errorf("%+v", told)
	}
}

// TestStatusTellsWhatFails: every part by name, and the figures of the last day.
func TestStatusTellsWhatFails(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Viewer)
	var s adminapi.Status
	h.Call(t, hanako, http.MethodGet, "/api/status", nil).Into(t, &s)
	states := map[string]string{}
	for _, p := range s.Parts {
		states[p.Name] = p.State
	}
	for _, name := range []string{"database", "sessions", "audit", "keys", "services", "revocation"} {
		if states[name] != "good" {
			t.Errorf("%s is %q", name, states[name])
		}
	}
	if s.Counts["logins"] != 1 {
		t.Errorf("%+v", s.Counts)
	}
	execute(t, h.DB, `ALTER TABLE audit_checkpoint RENAME TO gone`)
	h.Call(t, hanako, http.MethodGet, "/api/status", nil).Into(t, &s)
	for _, p := range s.Parts {
		if p.Name == "audit" && p.State != "down" {
			t.Errorf("%+v", p)
		}
	}
}
