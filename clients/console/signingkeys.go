package console

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

func (o *Console) mountKeys(e *echo.Echo) {
	e.GET("/keys", o.page((*visit).getKeys))
	e.GET("/keys/:alg/rotate", o.page((*visit).getRotate))
	e.POST("/keys/:alg/rotate", o.act((*visit).postRotate))
}

// keysView is what keys.html shows.
type keysView struct {
	*visit
	Keys    []adminapi.SigningKey
	JWKS    string // where others see them; empty: it cannot be had
	Rotated string // the algorithm that was just announced a successor for
}

// Kind is how the chip of a key looks.
func (k keysView) Kind(state string) string {
	switch state {
	case "current":
		return "ok"
	case "next":
		return "info"
	}
	return "quiet"
}

// Algs are the algorithms that a next key can be made for: those that have none yet.
func (k keysView) Algs() []string {
	waiting := map[string]bool{}
	for _, key := range k.Keys {
		waiting[key.Alg] = waiting[key.Alg] || key.State == "next"
	}
	var all []string
	for _, key := range k.Keys {
		if key.State == "current" && !waiting[key.Alg] {
			all = append(all, key.Alg)
		}
	}
	return all
}

func (v *visit) getKeys() error {
	var list adminapi.KeyList
	ctx := v.echo.Request().Context()
	if err := v.get(ctx, "/keys", nil, &list); err != nil {
		return err
	}
	view := keysView{visit: v, Keys: list.Items, Rotated: cut(v.echo.QueryParam("rotated"), 10)}
	if places, err := v.console.party.Places(ctx); err == nil {
		view.JWKS = placeOf(places, "jwks_uri")
	}
	return v.show(http.StatusOK, inKeys, web.Page{Name: "keys", Title: "keys.title", Data: view})
}

func placeOf(places []rp.Place, name string) string {
	for _, p := range places {
		if p.Name == name {
			return p.Address
		}
	}
	return ""
}

func (v *visit) askRotate() asking {
	alg := cut(v.echo.Param("alg"), 10)
	return asking{
		visit: v, Key: "rotate", Args: []string{"alg", alg}, Action: "/keys" + apiPath(alg, "rotate"), Back: "/keys", Calm: true,
		Points: strings.Split(v.text("rotate.points"), "\n"),
	}
}

func (v *visit) getRotate() error {
	status, p := v.askRotate().page()
	return v.show(status, inKeys, p)
}

func (v *visit) postRotate() error {
	a := v.askRotate()
	if !a.typed() {
		status, p := a.page()
		return v.show(status, inKeys, p)
	}
	alg := v.echo.Param("alg")
	if err := v.call(v.echo.Request().Context(), http.MethodPost, "/keys/rotate", adminapi.Rotate{Alg: alg, Reason: a.Reason}, nil); err != nil {
		return err
	}
	return v.to(query("/keys", "rotated", alg))
}
