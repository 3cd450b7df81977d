package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountSecrets(e *echo.Echo) {
	e.GET("/clients/:id/secrets", o.page((*visit).getSecrets))
	e.GET("/clients/:id/secrets/new", o.page((*visit).getNewSecret))
	e.POST("/clients/:id/secrets/new", o.act((*visit).postNewSecret))
	e.GET("/clients/:id/secrets/:secret/end", o.page((*visit).getEndSecret))
	e.POST("/clients/:id/secrets/:secret/end", o.act((*visit).postEndSecret))
}

// secretsView is what secrets.html shows: how the service proves who it is.
type secretsView struct {
	*service
	Method  string // of the token endpoint, as registered
	ByKey   bool   // it has keys rather than a secret
	Shared  bool   // it has a secret
	Kids    []string
	JWKSURI string
	Ended   bool // one was ended just now
}

func (v *visit) getSecrets() error {
	s, err := v.service(tabSecrets)
	if err != nil {
		return err
	}
	m, _, err := s.metadata()
	if err != nil {
		return err
	}
	view := secretsView{service: s, Method: m.text("token_endpoint_auth_method"), JWKSURI: m.text("jwks_uri"), Kids: kids(m["jwks"]), Ended: v.echo.QueryParam("done") == "ended"}
	if view.Method == "" {
		view.Method = implied("token_endpoint_auth_method")
	}
	view.Shared = view.Method == "client_secret_basic" || view.Method == "client_secret_post"
	view.ByKey = !view.Shared && view.Method != "none"
	return s.show(http.StatusOK, web.Page{Name: "secrets", Title: "secrets.title", Data: view})
}

// newSecretView is what secret-new.html shows.
type newSecretView struct {
	*service
	Overlap, Lives           []web.Option
	OverlapError, LivesError string
	Errors                   []web.FieldError
}

func (v *visit) getNewSecret() error {
	s, err := v.service(tabSecrets)
	if err != nil {
		return err
	}
	return s.showNewSecret(http.StatusOK, nil)
}

func (s *service) showNewSecret(status int, faults []adminapi.FieldError) error {
	view := newSecretView{service: s}
	chosen := func(name, fallback string) string {
		if value := s.echo.FormValue(name); value != "" {
			return value
		}
		return fallback
	}
	for _, days := range []int{1, 3, 7, 0} {
		hours := strconv.Itoa(days * 24)
		label := s.text("secret.overlap.days", "days", strconv.Itoa(days))
		if days == 0 {
			label = s.text("secret.overlap.now")
		}
		view.Overlap = append(view.Overlap, web.Option{Value: hours, Label: label, Selected: hours == chosen("overlap_hours", "168")})
	}
	for _, days := range []string{"90", "365", "730"} {
		view.Lives = append(view.Lives, web.Option{Value: days, Label: s.text("secret.lives.days", "days", days), Selected: days == chosen("lives_days", "365")})
	}
	page := web.Page{Name: "secret-new", Title: "secret.new.title"}
	for _, f := range faults {
		text, id := s.said(f), "lives_days"
		if f.Field == "overlap_hours" {
			id, view.OverlapError = f.Field, text
		} else {
			view.LivesError = join(view.LivesError, text)
		}
		view.Errors, page.Error = append(view.Errors, web.FieldError{Field: id, Text: text}), string(adminapi.Invalid)
	}
	page.Data = view
	return s.show(status, page)
}

// madeView is what secret-made.html shows, this once.
type madeView struct {
	*service
	Made   adminapi.MadeSecret
	Others []adminapi.Secret
}

// postNewSecret makes a secret and shows it on the answer to the post itself: reading the page again would make another one, and no address shows it.
func (v *visit) postNewSecret() error {
	s, err := v.service(tabSecrets)
	if err != nil {
		return err
	}
	overlap, _ := strconv.Atoi(v.echo.FormValue("overlap_hours"))
	lives, _ := strconv.Atoi(v.echo.FormValue("lives_days"))
	if len(s.Secrets) > 0 && v.echo.FormValue("overlap_hours") == "" {
		return s.showNewSecret(http.StatusUnprocessableEntity, []adminapi.FieldError{{Field: "overlap_hours", Problem: "is missing", Remedy: "choose one"}})
	}
	view := madeView{service: s}
	err = v.call(v.echo.Request().Context(), http.MethodPost, s.api("secrets"), adminapi.NewSecret{OverlapHours: overlap, LivesDays: lives}, &view.Made)
	if refusal, ok := refused(err, adminapi.Invalid); ok {
		return s.showNewSecret(http.StatusUnprocessableEntity, refusal.Errors)
	}
	if err != nil {
		return err
	}
	view.Others = s.Secrets
	return s.show(http.StatusCreated, web.Page{Name: "secret-made", Title: "secret.made.title", Once: true, Data: view})
}

// endSecretView is what secret-end.html shows.
type endSecretView struct {
	*service
	Secret adminapi.Secret
	Recent bool // it was good for something within a day
	Last   bool // no other one is left
}

// recently is how long a use of a secret makes ending it look like a mistake.
const recently = 24 * time.Hour

func (v *visit) getEndSecret() error {
	s, err := v.service(tabSecrets)
	if err != nil {
		return err
	}
	view := endSecretView{service: s, Last: true}
	for _, secret := range s.Secrets {
		switch {
		case secret.ID == v.echo.Param("secret"):
			view.Secret = secret
			view.Recent = !secret.Used.IsZero() && v.console.now().Sub(secret.Used) < recently
		case secret.State != "ended":
			view.Last = false
		}
	}
	if view.Secret.ID == "" {
		return echo.ErrNotFound
	}
	return s.show(http.StatusOK, web.Page{Name: "secret-end", Title: "secret.end.title", Data: view})
}

func (v *visit) postEndSecret() error {
	base := "/clients" + apiPath(v.echo.Param("id"), "secrets")
	err := v.call(v.echo.Request().Context(), http.MethodDelete, base+apiPath(v.echo.Param("secret")), nil, nil)
	if _, gone := refused(err, adminapi.NotFound); err != nil && !gone { // twice is once
		return err
	}
	return v.to(base + "?done=ended")
}
