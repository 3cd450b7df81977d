package console

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// api is an administration API on the types of the wire, with one operator at a time. It is no registry: what a test needs it to answer, the
// test gives it.
type api struct {
	*http.ServeMux
	mu       sync.Mutex
	issuer   string
	now      func() time.Time
	operator adminapi.Operator // zero: whoever signs in is nobody here
	code     string            // of an invitation
	asked    []string          // method and path, for all but GET /api/me
	token    string            // that was presented last
	stale    string            // a token that is not good any more
	failing  bool              // answers nothing but 500
	stopped  adminapi.Reason   // why the operator may nothing; empty: she may
}

func newAPI(issuer string, now func() time.Time) *api {
	a := &api{ServeMux: http.NewServeMux(), issuer: issuer, now: now}
	a.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		a.reply(w, http.StatusOK, adminapi.Me{Operator: a.operator, Issuer: a.issuer, Sample: true})
	})
	a.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { // what a test does not need
		a.refuse(w, adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound})
	})
	a.HandleFunc("POST /api/join", func(w http.ResponseWriter, r *http.Request) {
		var in adminapi.Join
		if a.read(w, r, &in); in.Code != a.code || a.code == "" {
			a.refuse(w, adminapi.Problem{Status: http.StatusUnprocessableEntity, Reason: adminapi.Invalid})
			return
		}
		a.code, a.operator = "", adminapi.Operator{ID: "o1", Name: "花子", Roles: adminapi.Roles()}
		a.reply(w, http.StatusOK, a.operator)
	})
	return a
}

func (a *api) enter(o adminapi.Operator) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.operator = o
}

// stop has the operator be refused everything.
func (a *api) stop(reason adminapi.Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = reason
}

// refuseToken has the token that was presented last be good no more.
func (a *api) refuseToken() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stale = a.token
}

// fail has every call fail, or no longer.
func (a *api) fail(failing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failing = failing
}

// ServeHTTP answers one request after the other, and asks for a token and for being an operator as the real one does.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.URL.Path != "/api/me" {
		a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	}
	a.token = r.Header.Get("Authorization")
	switch {
	case a.failing:
		a.refuse(w, adminapi.Problem{Status: http.StatusInternalServerError, Reason: adminapi.Failed})
	case a.token == a.stale, !strings.HasPrefix(r.Header.Get("Authorization"), "DPoP ") || r.Header.Get("DPoP") == "":
		a.refuse(w, adminapi.Problem{Status: http.StatusUnauthorized, Reason: adminapi.Unauthenticated})
	case a.stopped != "":
		a.refuse(w, adminapi.Problem{Status: http.StatusForbidden, Reason: a.stopped})
	case a.operator.ID == "" && r.URL.Path != "/api/join":
		a.refuse(w, adminapi.Problem{Status: http.StatusForbidden, Reason: adminapi.NotOperator})
	default:
		a.ServeMux.ServeHTTP(w, r)
	}
}

func (a *api) reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (a *api) refuse(w http.ResponseWriter, p adminapi.Problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func (a *api) read(w http.ResponseWriter, r *http.Request, into any) bool {
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		a.refuse(w, adminapi.Problem{Status: http.StatusBadRequest, Reason: adminapi.Malformed, Detail: err.Error()})
	}
	return err == nil
}
