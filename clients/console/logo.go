package console

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountLogo(e *echo.Echo) {
	e.GET("/clients/:id/logo", o.page((*visit).getLogo))
	e.POST("/clients/:id/logo", o.act((*visit).postLogo))
	e.GET("/clients/:id/logo/remove", o.page((*visit).getLogo)) // as for drafts: where one comes back to
	e.POST("/clients/:id/logo/remove", o.act((*visit).postRemoveLogo))
}

// maxLogo is the largest picture that the API takes, in bytes.
const maxLogo = 1 << 20

// logoView is what logo.html shows.
type logoView struct {
	*service
	Revision int64
	Set      bool
	Wrong    string
	Errors   []web.FieldError
	Changed  bool // somebody else changed the draft since the page was made
}

func (v *visit) getLogo() error {
	s, err := v.service(tabSettings)
	if err != nil {
		return err
	}
	return s.showLogo(http.StatusOK, "", "")
}

func (s *service) showLogo(status int, reason, wrong string) error {
	m, revision, err := s.metadata()
	if err != nil {
		return err
	}
	view := logoView{service: s, Revision: revision, Set: m.text("logo") != "", Wrong: wrong, Changed: reason == string(adminapi.Conflict)}
	if wrong != "" {
		view.Errors = []web.FieldError{{Field: "logo", Text: wrong}}
	}
	return s.show(status, web.Page{Name: "logo", Title: "logo.title", Error: reason, Data: view})
}

// postLogo hands the picture on. What it is the API judges: by its bytes, not by its name.
func (v *visit) postLogo() error {
	s, err := v.service(tabSettings)
	if err != nil {
		return err
	}
	wrong := func(key string) error {
		return s.showLogo(http.StatusUnprocessableEntity, string(adminapi.Invalid), v.text(key))
	}
	file, err := v.echo.FormFile("logo")
	if errors.Is(err, http.ErrMissingFile) || err == nil && file.Size == 0 {
		return wrong("logo.missing")
	}
	if err != nil {
		return err
	}
	if file.Size > maxLogo {
		return wrong("logo.large")
	}
	from, err := file.Open()
	if err != nil {
		return err
	}
	picture, err := io.ReadAll(io.LimitReader(from, maxLogo+1))
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	kind := http.DetectContentType(picture)
	if kind != "image/png" && kind != "image/jpeg" {
		return wrong("logo.kind")
	}
	err = v.send(v.echo.Request().Context(), rp.Request{Method: http.MethodPut, Address: s.api("logo") + revisionOf(v), Type: kind, Body: picture}, nil)
	return s.logoDone(err)
}

func (v *visit) postRemoveLogo() error {
	s, err := v.service(tabSettings)
	if err != nil {
		return err
	}
	return s.logoDone(v.send(v.echo.Request().Context(), rp.Request{Method: http.MethodDelete, Address: s.api("logo") + revisionOf(v)}, nil))
}

func revisionOf(v *visit) string {
	n, err := strconv.ParseUint(v.echo.FormValue("revision"), 10, 63)
	if err != nil {
		n = 0
	}
	return "?revision=" + strconv.FormatUint(n, 10)
}

func (s *service) logoDone(err error) error {
	if refusal, ok := refused(err, adminapi.Invalid, adminapi.TooLarge, adminapi.WrongType); ok {
		text := s.text("logo.kind")
		if refusal.Reason == adminapi.TooLarge {
			text = s.text("logo.large")
		} else if len(refusal.Errors) > 0 {
			text = s.said(refusal.Errors[0])
		}
		return s.showLogo(http.StatusUnprocessableEntity, string(adminapi.Invalid), text)
	}
	if _, ok := refused(err, adminapi.Conflict); ok {
		fresh, err := s.visit.service(tabSettings)
		if err != nil {
			return err
		}
		return fresh.showLogo(http.StatusConflict, string(adminapi.Conflict), s.text("logo.conflict"))
	}
	if err != nil {
		return err
	}
	if s.New() {
		return s.to(s.Base() + "/edit/names")
	}
	return s.to(s.Base() + "/draft")
}
