package etax

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// person returns the session of somebody the hub knows. Anyone else is sent there to sign in.
func (s *Site) person(c echo.Context) (*rp.Session, error) {
	session, err := s.party.Session(c.Request())
	if err == nil && session.Subject() == "" {
		err = &rp.Error{Reason: rp.SignedOut, Detail: "signed in by number only"}
	}
	return session, err
}

// getBind asks for number and password, once (T2).
func (s *Site) getBind(c echo.Context) error {
	session, err := s.person(c)
	if err == nil {
		err = herself(session)
	}
	if err != nil {
		return err
	}
	if ok, err := s.known(c, session); err != nil || ok {
		return s.orHome(c, err)
	}
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "bind", Title: "bind.title", OpenForm: true, Data: formView{Hint: s.hint, For: session.Mark(toBind)},
	})
	return nil
}

// postBind ties the account, to the person whom the page was shown to and nobody else. Sent twice, it shows the finished page twice.
func (s *Site) postBind(c echo.Context) error {
	ctx := c.Request().Context()
	session, err := s.person(c)
	if err == nil {
		err = herself(session)
	}
	if err != nil {
		return err
	}
	if ok, err := s.known(c, session); err != nil || ok {
		return s.orHome(c, err)
	}
	form, ok := s.readForm(c)
	form.view.For = session.Mark(toBind)
	if !session.Marked(toBind, c.FormValue(fieldFor)) {
		// What was typed is somebody else's; of it only the number is on the page.
		form.view.NumberError, form.view.PasswordError, form.view.Changed = "", "", true
		s.answerForm(c, "bind", form, PersonChanged)
		return nil
	}
	if !ok {
		s.answerForm(c, "bind", form, InputMissing)
		return nil
	}
	_, byPerson, _ := tries()
	var b *binding
	if err = s.prove(ctx, byPerson, session.Subject(), form.number, form.password); err == nil {
		b, err = s.bind(ctx, session.Subject(), form.number)
	}
	if reason, ok := form.wrong(err); ok {
		s.answerForm(c, "bind", form, reason)
		return nil
	}
	if err != nil {
		return err
	}
	s.ties.Report(ctx, session, *b.asTie())
	return c.Redirect(http.StatusSeeOther, "/home?done=bound")
}

func (s *Site) orHome(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/home")
}

// getNumber is the way in from before the hub.
func (s *Site) getNumber(c echo.Context) error {
	s.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "number", Title: "number.title", Crumbs: numberCrumbs(), Data: formView{Hint: s.hint},
	})
	return nil
}

func numberCrumbs() []web.Crumb {
	return []web.Crumb{{Key: "site.name", Href: "/"}, {Key: "number.title"}}
}

func (s *Site) postNumber(c echo.Context) error {
	form, ok := s.readForm(c)
	if !ok {
		s.answerForm(c, "number", form, InputMissing)
		return nil
	}
	_, _, byAddress := tries()
	err := s.prove(c.Request().Context(), byAddress, network(c.RealIP()), form.number, form.password)
	if reason, ok := form.wrong(err); ok {
		s.answerForm(c, "number", form, reason)
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.party.StartLocal(c.Response(), c.Request(), string(form.number)); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/home")
}
