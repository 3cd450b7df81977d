package agent

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// trayView is one card of the demo's drawer on the start page.
type trayView struct {
	Name, Label string
	Out         bool
}

// trayOf lists the cards that can be taken out or put back by a button; none without a Tray.
func (a *Agent) trayOf(r *http.Request, there []CardChoice) (out []trayView) {
	if a.tray == nil {
		return nil
	}
	for _, c := range there {
		out = append(out, trayView{Name: c.Name, Label: a.label(r, c)})
	}
	for _, c := range a.tray.Out() {
		out = append(out, trayView{Name: c.Name, Label: a.label(r, c), Out: true})
	}
	return out
}

// postTray takes a card of the demo's drawer out, or puts it back in.
func (a *Agent) postTray(c echo.Context) error {
	form, err := decodeForm(c.Response(), c.Request())
	if err != nil {
		return a.showProblem(c, nil, "", err)
	}
	move := a.tray.Eject
	switch form.Get("move") {
	case "out":
	case "in":
		move = a.tray.Insert
	default:
		return a.showProblem(c, nil, "", refuse(RequestMalformed, "move is neither in nor out"))
	}
	if err := move(form.Get("card")); err != nil {
		return a.showProblem(c, nil, "", err)
	}
	return c.Redirect(http.StatusSeeOther, "/?still=1") // what has just changed is not read to the end in five seconds
}
