package etax

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// returnView is what return.html shows.
type returnView struct {
	ID       string
	Document string // exactly what is signed
	Groups   string // its SHA-256, as the hub and the card app show it
	Filed    time.Time
	Receipt  string
	Signed   time.Time
	Waiting  bool   // a signature was made, and is still to be fetched
	Done     string // filed or stopped, just now
	Refused  string // why there is no filing: the end of a message key
	For      string
	Changed  bool // sent from a page that was shown to somebody else
	Acting   bool // somebody acts for the taxpayer
	Edits    []edit
	MaySend  bool // came through the hub
}

// accountOf returns the account of a session: of a number that was typed, or tied to the person. Empty: there is none (any more).
func (s *Site) accountOf(ctx context.Context, session *rp.Session) (Number, error) {
	if n := session.Local(); n != "" {
		return Number(n), nil
	}
	b, err := s.standing(ctx, session)
	if err != nil || b == nil {
		return "", err
	}
	return b.number, nil
}

// ownReturn returns the return that is asked for, of whoever is signed in. Without one there is nothing to answer any more.
func (s *Site) ownReturn(c echo.Context) (*rp.Session, *taxReturn, error) {
	session, err := s.party.Session(c.Request())
	if err != nil {
		return nil, nil, err
	}
	n, err := s.accountOf(c.Request().Context(), session)
	if err != nil {
		return nil, nil, err
	}
	if n == "" {
		return nil, nil, c.Redirect(http.StatusSeeOther, "/bind")
	}
	r, err := s.taxReturn(c.Request().Context(), c.Param("id"), n)
	return session, r, err
}

// getReturn shows a return: the draft before it is signed, or what was filed.
func (s *Site) getReturn(c echo.Context) error {
	session, r, err := s.ownReturn(c)
	if err != nil || r == nil {
		return err
	}
	v := returnView{}
	if r.filed.IsZero() {
		if c.QueryParam("done") == "stopped" {
			v.Done = "stopped"
		}
		v.Refused = parseRefusal(c.QueryParam("refused"))
	} else if c.QueryParam("done") == "filed" {
		v.Done = "filed"
	}
	return s.showReturn(c, session, r, v)
}

func (s *Site) showReturn(c echo.Context, session *rp.Session, r *taxReturn, v returnView) error {
	v.ID, v.Document, v.Groups, v.Filed, v.Receipt = r.id, string(r.content), groups(r.content), r.filed, r.receipt
	v.Acting = session.Actor() != ""
	v.MaySend, v.For = session.Subject() != "" && s.rules != nil && !v.Acting, session.Mark(toFile)
	var err error
	if v.Edits, err = listEdits(c.Request().Context(), s.db, r.id); err != nil {
		return err
	}
	page := web.Page{Name: "return", Title: "return.draft.title", SignedIn: true, OpenForm: true}
	if r.filed.IsZero() {
		v.Waiting = r.asked != ""
	} else {
		page.Title = "return.filed.title"
		k, err := s.kept(r)
		if err != nil {
			return err
		}
		v.Signed = time.Unix(k.At, 0)
	}
	status := http.StatusOK
	switch {
	case v.Changed:
		status, page.Error = http.StatusUnprocessableEntity, PersonChanged.String()
	case v.Refused != "":
		status, page.Error = http.StatusUnprocessableEntity, v.Refused
	}
	page.Crumbs = []web.Crumb{{Key: "home.title", Href: "/home"}, {Key: page.Title}}
	page.Data = v
	s.web.Render(c.Response(), c.Request(), status, page)
	return nil
}

// getDocument hands out the return, byte for byte what was or will be signed.
func (s *Site) getDocument(c echo.Context) error {
	_, r, err := s.ownReturn(c)
	if err != nil || r == nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="return-`+r.id+`.txt"`)
	return c.Blob(http.StatusOK, documentType+"; charset=utf-8", r.content)
}

// getSignature hands out the signature of a filed return: with the document it proves what was filed, to anybody.
func (s *Site) getSignature(c echo.Context) error {
	_, r, err := s.ownReturn(c)
	if err != nil || r == nil {
		return err
	}
	if r.filed.IsZero() {
		return &Error{Reason: ReturnUnknown}
	}
	k, err := s.kept(r)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="return-`+r.id+`.jws"`)
	return c.Blob(http.StatusOK, "application/jose", []byte(k.JWS))
}

// sendable is what a press on a return's page acts on: a return of the person whom the page was shown to. With nil there is nothing to
// answer any more.
func (s *Site) sendable(c echo.Context) (*taxReturn, error) {
	session, n, err := s.filer(c)
	if err != nil || n == "" {
		return nil, err
	}
	if err := herself(session); err != nil {
		return nil, err
	}
	r, err := s.taxReturn(c.Request().Context(), c.Param("id"), n)
	if err != nil {
		return nil, err
	}
	if !session.Marked(toFile, c.FormValue(fieldFor)) {
		return nil, s.showReturn(c, session, r, returnView{Changed: true})
	}
	if !r.filed.IsZero() { // pressed twice
		return nil, c.Redirect(http.StatusSeeOther, "/returns/"+r.id+"?done=filed")
	}
	return r, nil
}

// postSend sends the person to the hub to sign the draft.
func (s *Site) postSend(c echo.Context) error {
	r, err := s.sendable(c)
	if err != nil || r == nil {
		return err
	}
	to, _ := rp.ParseLocal("/returns/" + r.id)
	return s.party.AskSignature(c.Response(), c.Request(), to, describe(r.content))
}

// postCollect fetches a signature that was made and did not arrive. The token it came with may be gone; the service's own is not.
func (s *Site) postCollect(c echo.Context) error {
	r, err := s.sendable(c)
	if err != nil || r == nil {
		return err
	}
	return s.afterSigning(c, nil, r.id, r.number)
}

// signedReturn ends a login that was begun by postSend.
func (s *Site) signedReturn(c echo.Context, arrival rp.Arrival, err error) error {
	id, ok := strings.CutPrefix(arrival.Return.String(), "/returns/")
	if !ok {
		return &Error{Reason: ReturnUnknown}
	}
	if e, refused := errors.AsType[*rp.Error](err); refused && e.Reason == rp.AccessDenied {
		return c.Redirect(http.StatusSeeOther, "/returns/"+id+"?done=stopped")
	}
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(c.Request().Context()) // a browser that hangs up has signed all the same
	b, err := s.arrive(ctx, arrival.Session)
	if err != nil {
		return err
	}
	if b == nil {
		return c.Redirect(http.StatusSeeOther, "/bind")
	}
	if arrival.SignatureID() == "" {
		return s.refusedReturn(c, id, &Error{Reason: SignatureGone})
	}
	// Before it is fetched: what happens from here on, the identifier is enough to go on with.
	if err := setAsked(ctx, s.db, id, b.number, arrival.SignatureID()); err != nil {
		return err
	}
	return s.afterSigning(c, arrival.Session, id, b.number)
}

const filingTimeout = 20 * time.Second

// afterSigning files, and leads to the page that says what came of it.
func (s *Site) afterSigning(c echo.Context, session *rp.Session, id string, n Number) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), filingTimeout)
	defer cancel()
	err := s.file(ctx, session, id, n)
	if e, ok := errors.AsType[*rp.Error](err); ok {
		s.log.WarnContext(ctx, "signature not fetched yet", "err", e, "trace", web.Trace(ctx))
		return c.Redirect(http.StatusSeeOther, "/returns/"+id) // it says that the signature is waiting
	}
	if e, ok := errors.AsType[*Error](err); ok && parseRefusal(e.Reason.String()) != "" {
		return s.refusedReturn(c, id, e)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/returns/"+id+"?done=filed")
}

// refusedReturn shows the reason at an address of its own, so that a reload shows it again.
func (s *Site) refusedReturn(c echo.Context, id string, e *Error) error {
	s.log.WarnContext(c.Request().Context(), "return refused", "err", e, "trace", web.Trace(c.Request().Context()))
	return c.Redirect(http.StatusSeeOther, "/returns/"+id+"?refused="+e.Reason.String())
}

// parseRefusal returns the word of a reason why a signature was not taken, or nothing.
func parseRefusal(word string) string {
	for _, r := range []Reason{SignatureInvalid, SignerUntrusted, SignerExpired, DocumentOther, SignatureGone} {
		if word == r.String() {
			return word
		}
	}
	return ""
}
