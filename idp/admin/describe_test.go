package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// python is where scripts/install-test-deps puts what comes from PyPI.
const python = "../../build/python/bin/"

// tool returns the command of a Python package, or skips the test.
func tool(t *testing.T, ctx context.Context, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(python + name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Skipf("%s is not installed; run `make test`, or scripts/install-test-deps", name)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = t.TempDir()
	return cmd
}

func document(t *testing.T, h *admintest.Hub) (raw []byte, parsed map[string]any) {
	t.Helper()
	a := h.Call(t, "", http.MethodGet, "/api/openapi.json", nil)
	a.Into(t, &parsed)
	return a.Body, parsed
}

// TestDescriptionIsValid: what /api/openapi.json says is OpenAPI 3.1.
func TestDescriptionIsValid(t *testing.T) {
	raw, _ := document(t, admintest.Start(t, idptest.Options{}))
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := tool(t, t.Context(), "openapi-spec-validator", "--schema", "3.1", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestNoAnswerIsUndescribed: a fuzzer makes requests of the description, good ones and bad ones, as an operator who may do everything. No answer
// is a failure of the hub, none is of a status, type or shape that is not described, and none accepts what the description forbids.
func TestNoAnswerIsUndescribed(t *testing.T) {
	h, hanako, taro := pair(t)
	stock(t, h, hanako, taro)
	_, parsed := document(t, h)
	known(parsed)
	narrowed, err := json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	seen := newTally(parsed)
	front := httptest.NewServer(seen.count(h.OperatorHandler(nil)))
	t.Cleanup(front.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := tool(t, ctx, "schemathesis", "--no-color", "run", "openapi.json", "--url", front.URL, "--header", "Authorization: Bearer "+hanako,
		"--phases", "examples,coverage,fuzzing", "--max-examples", "12", "--seed", "1", "--generation-deterministic",
		"--no-shrink", "--continue-on-failure", "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"+
			"response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth", "--warnings", "off")
	if err := os.WriteFile(filepath.Join(cmd.Dir, "openapi.json"), narrowed, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s\nanswers by status: %v\nnever with success: %v", out, seen.status, seen.never())
	h.Call(t, hanako, http.MethodGet, "/api/me", nil).Into(t, nil) // she could not take her own roles away
}

// stock makes services in several states, so that not everything that is asked for is unknown.
func stock(t *testing.T, h *admintest.Hub, hanako, taro string) {
	t.Helper()
	for _, id := range []string{"shop", "shop-2", "shop-3"} {
		var applied adminapi.Applied
		h.Call(t, hanako, http.MethodPut, "/api/clients/"+id, adminapi.Apply{Metadata: shop(map[string]any{"client_id": id}), Request: true}).Into(t, &applied)
		if id == "shop-3" {
			continue
		}
		h.Call(t, taro, http.MethodPost, "/api/clients/"+id+"/approve", adminapi.Approve{Revision: applied.Client.Draft.Revision, Exception: "there is nothing to try yet"}).Into(t, nil)
	}
	h.Call(t, hanako, http.MethodPut, "/api/clients/shop/draft", adminapi.SaveDraft{Metadata: shop(map[string]any{"client_name": "新しい店"})}).Into(t, nil)
}

// known adds to the description what a fuzzer cannot guess: the ids of those services, beside all others, and metadata that is good.
func known(document map[string]any) {
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	for _, name := range []string{"NewClient", "SaveDraft", "Apply"} {
		metadata := schemas[name].(map[string]any)["properties"].(map[string]any)["metadata"].(map[string]any)
		metadata["examples"] = []any{shop(nil), shop(map[string]any{"client_id": "shop-9"})}
	}
	for path, item := range document["paths"].(map[string]any) {
		if len(path) < len("/api/clients/{id}") || path[:len("/api/clients/{id}")] != "/api/clients/{id}" {
			continue
		}
		for _, operation := range item.(map[string]any) {
			for _, parameter := range operation.(map[string]any)["parameters"].([]any) {
				if p := parameter.(map[string]any); p["name"] == "id" {
					p["schema"] = map[string]any{"anyOf": []any{map[string]any{"type": "string", "enum": []string{"shop", "shop-2", "shop-3"}}, p["schema"]}}
				}
			}
		}
	}
}

// tally notes what was answered to which operation.
type tally struct {
	mu     sync.Mutex
	routes *http.ServeMux
	status map[int]int
	done   map[string]bool // operations that succeeded, as method and path
}

func newTally(document map[string]any) *tally {
	y := &tally{routes: http.NewServeMux(), status: make(map[int]int), done: make(map[string]bool)}
	for path, item := range document["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			route := strings.ToUpper(method) + " " + path
			y.routes.Handle(route, http.NotFoundHandler())
			y.done[route] = false
		}
	}
	return y
}

func (y *tally) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		y.mu.Lock()
		defer y.mu.Unlock()
		y.status[s.status]++
		if _, route := y.routes.Handler(r); s.status < 300 && route != "" {
			y.done[route] = true
		}
	})
}

// never lists the operations that did not succeed once.
func (y *tally) never() (out []string) {
	for route, done := range y.done {
		if !done {
			out = append(out, route)
		}
	}
	slices.Sort(out)
	return out
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
