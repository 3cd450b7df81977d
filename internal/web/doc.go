// Package web is what every page of Tsunagu has in common: the frame, the two languages, the headers, the cookies, the
// components and the stylesheet. It knows no citizen, no client and no protocol.
//
// A site hands NewSite its pages and messages and gets back a Site:
//
//	site, err := web.NewSite(web.SiteConfig{Slug: "etax", Kind: web.Service, Messages: messages, Pages: pages})
//	handler := site.Middleware(mux)              // around everything
//	mux.Handle("/static/", site.Static())
//	site.Render(w, r, http.StatusOK, web.Page{Name: "home", Title: "home.title", Data: view})
//	site.Fail(w, r, http.StatusNotFound, "not_found") // the common error page, with error.not_found.title, .text, .next
//
// # Pages
//
// A page is NAME.html with {{define "main"}}; files under parts/ hold defines that all pages of the site share. Inside,
// .Data is what Page.Data was; .Lang, .Path, .Trace, .Page and .Site are there as well. The functions are
//
//	{{t "key" "name" value}}    a message; {name} in it is replaced, everything is escaped
//	{{message .Key .Args}}      the same with a []string
//	{{has "key"}}               whether there is such a message
//	{{date .T}} {{datetime .T}} in Japan's time, as the language writes it
//	{{list a b}} {{lines .S}} {{add 1 2}} {{asset "app.css"}}
//
// NewSite checks literal keys, their placeholders and the arguments of components, so that a page that starts is a page
// that renders. Messages are flat: {"key": "text with {placeholder}"}; "site.name" is required.
//
// # Components
//
// Each is a template and a function that makes its data (or the struct of the same name, made in Go):
//
//	{{template "button" (button "label" (t "go") "kind" "line" "id" "go" "name" "decision" "value" "allow")}}
//	{{template "button" (button "label" (t "go") "href" "/account" "hook" "launch" "hookValue" "etax")}}
//	{{template "banner" (banner "kind" "ok" "title" (t "done") "body" (t "next") "status" true)}}
//	{{template "error-summary" (errorSummary "items" (list (fieldError "field" "number" "text" (t "number.wrong"))))}}
//	{{template "field" (field "id" "number" "label" (t "number") "hint" (t "number.hint") "error" .Error "value" .Value
//	    "inputmode" "numeric" "autocomplete" "username" "mark" "required")}}
//	{{template "select" (select "id" "card" "label" (t "card") "options" .Options)}}
//	{{template "steps" (steps "label" (t "way") "items" (list (step "label" (t "one") "state" "current")))}}
//	{{template "status-line" (statusLine "text" (t "checking") "busy" true)}}
//	{{template "description-list" (descriptionList "items" (list (description "term" (t "kind") "value" .Kind)))}}
//	{{template "table" (table "id" "returns" "caption" (t "returns") "cols" .Cols "rows" .Rows "empty" (t "none"))}}
//	{{template "tile" (tile "id" "etax" "badge" "G" "title" .Name "text" .Text "chip" (t "linked") "chipKind" "ok"
//	    "action" "/launch" "hidden" (list (hidden "name" "client_id" "value" .ID)) "button" (button "label" (t "open")))}}
//	{{template "chip" (chip "text" (t "linked") "kind" "ok")}}
//	{{template "explain" (explain "title" (t "what") "points" (list (t "point1") (t "point2")) "open" true)}}
//	{{template "confirm" (confirm "title" (t "cut") "points" .Effects "action" "/cut" "submit" (button "label" (t "cut"))
//	    "backLabel" (t "stop") "backHref" "/")}}
//	{{template "empty" (empty "title" (t "none") "text" (t "none.text"))}}
//
// Tiles stand in <div class="tiles">, buttons in <p class="actions"> (in a form: <div class="actions">), rows of things
// in <ul class="items">. There is no inline script or style anywhere, and no page needs a script. Gallery shows all of
// it on one page.
package web
