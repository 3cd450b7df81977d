package idptest_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestAServiceGoesLiveByItsReport: without one, with a red one, and with one of an earlier revision a draft is not approved; with a green one it is,
// and the version names it. Nobody reads the report of a service under another service's name.
func TestAServiceGoesLiveByItsReport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at   func(*testing.T, *idptest.Hub, net.Listener) *probed
		goes bool
	}{"postbox": {postboxOn, true}, "careless": {carelessOn, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, l := hubFor(t)
			p := tt.at(t, h.Hub, l)
			hanako, _ := h.Operator(t, "hanako", "", adminapi.Editor)
			taro, _ := h.Operator(t, "taro", "", adminapi.Approver)
			var saved adminapi.Saved
			h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: p.metadata}).Into(t, &saved)
			at := "/api/clients/" + name
			revision := saved.Client.Draft.Revision
			if q := h.Call(t, taro, http.MethodPost, at+"/preflights", adminapi.NewPreflight{Revision: revision}).Problem(t); q.Reason != adminapi.RoleMissing {
				t.Errorf("%+v", q)
			}
			if q := h.Call(t, hanako, http.MethodPost, at+"/preflights", adminapi.NewPreflight{Revision: revision + 1}).Problem(t); q.Reason != adminapi.Conflict {
				t.Errorf("%+v", q)
			}
			if q := h.Call(t, hanako, http.MethodPost, at+"/preflights", adminapi.NewPreflight{}).Problem(t); q.Reason != adminapi.WrongState {
				t.Errorf("%+v", q)
			}
			h.Call(t, hanako, http.MethodPost, at+"/request", adminapi.At{Revision: revision}).Into(t, nil)
			if q := h.Call(t, taro, http.MethodPost, at+"/approve", adminapi.Approve{Revision: revision}).Problem(t); q.Reason != adminapi.NotReady {
				t.Errorf("approved without a report: %+v", q)
			}
			var r adminapi.Preflight
			a := h.Call(t, hanako, http.MethodPost, at+"/preflights", adminapi.NewPreflight{Revision: revision})
			if a.Into(t, &r); a.Status != http.StatusAccepted || r.State != "running" || r.Planned == 0 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if q := h.Call(t, hanako, http.MethodPost, at+"/preflights", adminapi.NewPreflight{Revision: revision}).Problem(t); q.Reason != adminapi.WrongState {
				t.Errorf("two at once: %+v", q)
			}
			for deadline := time.Now().Add(time.Minute); r.State == "running" && time.Now().Before(deadline); {
				h.Call(t, taro, http.MethodGet, at+"/preflights/"+r.ID, nil).Into(t, &r)
			}
			if q := h.Call(t, taro, http.MethodGet, "/api/clients/app/preflights/"+r.ID, nil).Problem(t); q.Reason != adminapi.NotFound {
				t.Errorf("%+v", q)
			}
			var list adminapi.PreflightList
			h.Call(t, taro, http.MethodGet, at+"/preflights?limit=1", nil).Into(t, &list)
			if len(list.Items) != 1 || list.Items[0].ID != r.ID || list.Items[0].Verdict != r.Verdict || list.Next != "" {
				t.Errorf("%+v", list)
			}
			answer := h.Call(t, taro, http.MethodPost, at+"/approve", adminapi.Approve{Revision: revision})
			if !tt.goes {
				if q := answer.Problem(t); q.Reason != adminapi.NotReady || r.Verdict != adminapi.Red {
					t.Errorf("%s: %+v", r.Verdict, q)
				}
				return
			}
			var d adminapi.ClientDetail
			if answer.Into(t, &d); d.State != adminapi.StateLive || d.Live.Preflight != r.ID {
				t.Errorf("%+v", d.Live)
			}
		})
	}
}
