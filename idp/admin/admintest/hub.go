package admintest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// Hub is a running hub with an operators' address.
type Hub struct {
	*idptest.Hub
	URL string // of the operators' address
}

// Start runs a hub until the test ends. Beside the standard clients it has ConsoleID, through which people come, and ProgramID.
func Start(t testing.TB, o idptest.Options) *Hub {
	t.Helper()
	address := httptest.NewUnstartedServer(nil)
	h := &Hub{URL: "http://" + address.Listener.Addr().String()}
	o.OperatorsURL = h.URL
	o.Clients = append(o.Clients, Registrations()...)
	h.Hub = idptest.Start(t, o)
	address.Config.Handler = h.OperatorHandler(nil)
	address.Start()
	t.Cleanup(address.Close)
	return h
}

// Answer is what the API answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem reads a refusal. Any other answer has no reason.
func (a Answer) Problem(t testing.TB) (p adminapi.Problem) {
	t.Helper()
	if a.Header.Get("Content-Type") != "application/problem+json" {
		return adminapi.Problem{Status: a.Status}
	}
	if err := json.Unmarshal(a.Body, &p); err != nil {
		t.Fatalf("problem %s: %v", a.Body, err)
	}
	return p
}

// Into reads a success; any other answer ends the test.
func (a Answer) Into(t testing.TB, out any) {
	t.Helper()
	if a.Status < 200 || a.Status > 299 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(a.Body, out); err != nil {
		t.Fatalf("%s: %v", a.Body, err)
	}
}

// Call calls an operation: a path such as /api/me, with body as JSON unless it is nil.
func (h *Hub) Call(t testing.TB, token, method, path string, body any) Answer {
	t.Helper()
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	return h.Send(t, token, method, path, "application/json", b)
}

// Send is Call with any body, or without one if it is nil.
func (h *Hub) Send(t testing.TB, token, method, path, kind string, body []byte) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := idptest.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header, b}
}

// Operator makes the person of a card ("taro", "hanako") an operator and returns her token.
func (h *Hub) Operator(t testing.TB, card, organisation string, roles ...adminapi.Role) (token string, o adminapi.Operator) {
	t.Helper()
	i, err := admin.Invite(t.Context(), h.DB, h.Now, adminapi.NewOperator{Name: card, Roles: roles, Organisation: organisation})
	if err != nil {
		t.Fatal(err)
	}
	token = h.Token(t, card)
	h.Call(t, token, http.MethodPost, "/api/join", adminapi.Join{Code: i.Code}).Into(t, &o)
	return token, o
}
