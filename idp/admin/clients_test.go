package admin_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// shop is metadata of a service of kind web, with changes.
func shop(changes map[string]any) json.RawMessage {
	m := map[string]any{
		"client_id": "shop", "client_name": "試験の店", "operator": "店の運営者", "redirect_uris": []string{"https://shop.example/callback"},
		"grant_types": []string{"authorization_code"}, "scope": "openid", "token_endpoint_auth_method": "client_secret_basic",
	}
	maps.Copy(m, changes)
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// pair is a hub with two people who may do everything.
func pair(t *testing.T) (h *admintest.Hub, hanako, taro string) {
	h = admintest.Start(t, idptest.Options{})
	hanako, _ = h.Operator(t, "hanako", "", adminapi.Roles()...)
	taro, _ = h.Operator(t, "taro", "", adminapi.Roles()...)
	return h, hanako, taro
}

// TestAServiceGoesLiveByTwoPeople: drafted and requested by one, approved by the other, changed, and gone back with one press.
func TestAServiceGoesLiveByTwoPeople(t *testing.T) {
	h, hanako, taro := pair(t)
	var saved adminapi.Saved
	a := h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(nil), Note: "the first"})
	if a.Into(t, &saved); a.Status != http.StatusCreated || saved.Client.State != adminapi.StateDraft || saved.Client.Draft.ByName != "hanako" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	at := adminapi.At{Revision: saved.Client.Draft.Revision}
	if p := h.Call(t, taro, http.MethodPost, "/api/clients/shop/approve", adminapi.Approve{Revision: at.Revision}).Problem(t); p.Reason != adminapi.WrongState {
		t.Errorf("approved before it was requested: %+v", p)
	}
	var d adminapi.ClientDetail
	h.Call(t, hanako, http.MethodPost, "/api/clients/shop/request", at).Into(t, &d)
	if p := h.Call(t, hanako, http.MethodPost, "/api/clients/shop/approve", adminapi.Approve{Revision: at.Revision}).Problem(t); p.Reason != adminapi.SamePerson || p.Status != http.StatusForbidden {
		t.Errorf("approved by herself: %+v", p)
	}
	exception := "the service is not built yet, and nobody is sent to it"
	h.Call(t, taro, http.MethodPost, "/api/clients/shop/approve", adminapi.Approve{Revision: at.Revision, Exception: exception}).Into(t, &d)
	if d.State != adminapi.StateLive || d.Version != 1 || d.Live.ByName != "hanako" || d.Live.Exception != exception {
		t.Fatalf("%+v", d)
	}

	var applied adminapi.Applied
	h.Call(t, taro, http.MethodPut, "/api/clients/shop", adminapi.Apply{Metadata: d.Live.Metadata}).Into(t, &applied)
	if applied.Outcome != "unchanged" {
		t.Errorf("what is live, applied: %s", applied.Outcome)
	}
	h.Call(t, taro, http.MethodPut, "/api/clients/shop", adminapi.Apply{Metadata: shop(map[string]any{"client_name": "大きな店"}), Request: true}).Into(t, &applied)
	if applied.Outcome != "requested" {
		t.Fatalf("%+v", applied)
	}
	var diff adminapi.Diff
	h.Call(t, hanako, http.MethodGet, "/api/clients/shop/diff?from=live&to=draft", nil).Into(t, &diff)
	if len(diff.Changes) != 1 || diff.Changes[0].Member != "client_name" || string(diff.Changes[0].To) != `"大きな店"` {
		t.Errorf("%+v", diff)
	}
	h.Call(t, hanako, http.MethodPost, "/api/clients/shop/approve", adminapi.Approve{Revision: applied.Client.Draft.Revision, Exception: exception}).Into(t, &d)
	h.Call(t, hanako, http.MethodPost, "/api/clients/shop/go-back", adminapi.GoBack{Version: d.Previous, Reason: "the name was too big"}).Into(t, &d)
	if d.Version != 3 || d.Live.Of != 1 || d.Name != "試験の店" {
		t.Errorf("%+v", d)
	}
	var versions adminapi.VersionList
	h.Call(t, hanako, http.MethodGet, "/api/clients/shop/versions?limit=2", nil).Into(t, &versions)
	if len(versions.Items) != 2 || versions.Items[0].Version != 3 || versions.Items[1].ByName != "taro" || versions.Next == "" {
		t.Errorf("%+v", versions)
	}
	h.Call(t, hanako, http.MethodPost, "/api/clients/shop/suspend", adminapi.Because{Reason: "it was attacked"}).Into(t, &d)
	if d.State != adminapi.StateSuspended || d.Stopped == nil || d.Stopped.Reason != "it was attacked" {
		t.Errorf("%+v", d.Stopped)
	}
	if p := h.Call(t, hanako, http.MethodPost, "/api/clients/shop/retire", adminapi.Retire{Reason: "it is over", Confirm: "shopp"}).Problem(t); p.Reason != adminapi.Invalid || p.Errors[0].Field != "confirm" {
		t.Errorf("retired by a slip: %+v", p)
	}
	h.Call(t, hanako, http.MethodPost, "/api/clients/shop/retire", adminapi.Retire{Reason: "it is over", Confirm: "shop"}).Into(t, &d)
	if d.State != adminapi.StateRetired {
		t.Errorf("%+v", d)
	}
}

// TestTwoOperatorsEditOneService: the second is told what is there now, and nothing of either is lost.
func TestTwoOperatorsEditOneService(t *testing.T) {
	h, hanako, taro := pair(t)
	var saved adminapi.Saved
	h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(nil)}).Into(t, &saved)
	seen := saved.Client.Draft.Revision
	write := func(token, name string, revision int64) admintest.Answer {
		return h.Call(t, token, http.MethodPut, "/api/clients/shop/draft", adminapi.SaveDraft{Revision: revision, Metadata: shop(map[string]any{"client_name": name})})
	}
	write(hanako, "花子の店", seen).Into(t, &saved)
	a := write(taro, "太郎の店", seen)
	p := a.Problem(t)
	if a.Status != http.StatusConflict || p.Reason != adminapi.Conflict || p.Current == nil || p.Current.ByName != "hanako" || p.Current.Revision != saved.Client.Draft.Revision {
		t.Fatalf("%s", a.Body)
	}
	var there struct {
		Name string `json:"client_name"`
	}
	if err := json.Unmarshal(p.Current.Metadata, &there); err != nil || there.Name != "花子の店" {
		t.Errorf("%s", p.Current.Metadata)
	}
	write(taro, "ふたりの店", p.Current.Revision).Into(t, &saved)
	if saved.Client.Name != "ふたりの店" || len(saved.Client.Draft.Authors) != 2 {
		t.Errorf("%+v", saved.Client.Draft)
	}
	if p := h.Call(t, taro, http.MethodPost, "/api/clients/shop/request", adminapi.At{Revision: seen}).Problem(t); p.Reason != adminapi.Conflict {
		t.Errorf("requested unseen: %+v", p)
	}
}

func rawJSON(s string) json.RawMessage { return json.RawMessage(s) }
