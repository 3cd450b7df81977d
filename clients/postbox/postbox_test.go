package postbox

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/keeper"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func (w *world) count(table string) (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// letter is the address of the first letter on a page.
func letterAt(t *testing.T, page rptest.Page) string {
	t.Helper()
	_, rest, ok := strings.Cut(page.Body, `href="/letters/`)
	id, _, _ := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no letter: %s", page.Body)
	}
	return "/letters/" + id
}

func TestBoxFromOpeningToClosing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		taro := w.browser()
		page := taro.open()
		wantAt(t, page, pathBox, "")
		if !page.Has(" data-signed-in>", "まだ読んでいない郵便が1通") || w.link("taro") != "linked" {
			t.Errorf("hub says %q: %s", w.link("taro"), page.Body)
		}
		letter := letterAt(t, page)
		if page = taro.get(letter); page.Status != 200 || !page.Has("この郵便受けに入ります") {
			t.Errorf("%d %s", page.Status, page.Body)
		}
		if page = taro.get(pathBox); !page.Has("まだ読んでいない郵便はありません") {
			t.Error("still unread")
		}
		wantAt(t, taro.send("/close"), "/closed", "")
		if w.link("taro") != "ended" || w.count("postbox_box")+w.count("postbox_letter")+w.endings() != 0 {
			t.Errorf("hub says %q; %d boxes, %d letters, %d closings", w.link("taro"), w.count("postbox_box"), w.count("postbox_letter"), w.endings())
		}
		wantAt(t, taro.get("/login?return=/box"), pathOpen, "")
	})
}

func TestStrangersLetterIsUnknown(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		letter := letterAt(t, w.browser().open())
		w.person("hanako")
		hanako := w.browser()
		hanako.open()
		page := hanako.get(letter)
		if page.Status != 404 || page.Error() != "letter_unknown" {
			t.Errorf("%d %q", page.Status, page.Error())
		}
		var read int64
		if err := w.db.QueryRow(t.Context(), `SELECT SUM(read_at) FROM postbox_letter`).Scan(&read); err != nil || read != 0 {
			t.Errorf("a stranger's look counts as reading: %d, %v", read, err)
		}
	})
}

// The tie that was cut at the hub puts the box on hold: nobody is in it, and nothing in it is lost.
func TestCutAtTheHubKeepsTheLetters(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		taro := w.browser()
		letter := letterAt(t, taro.open())
		w.advance(time.Second)
		w.hub.SetLink(rptest.Sub("taro", "postbox"), "ended")
		w.advance(2 * keeper.AgreeEvery)
		page := taro.get(pathBox)
		wantAt(t, page, pathOpen, "")
		if !page.Has("中の郵便は残っています") {
			t.Errorf("%s", page.Body)
		}
		wantAt(t, taro.send(pathOpen), pathBox, "")
		if page := taro.get(letter); page.Status != 200 || w.link("taro") != "linked" || w.count("postbox_letter") != 1 {
			t.Errorf("%d; hub says %q; %d letters", page.Status, w.link("taro"), w.count("postbox_letter"))
		}
	})
}

// A hub that lost its memory hears of the box again.
func TestHubThatForgotIsToldAgain(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		taro := w.browser()
		taro.open()
		w.hub.SetLink(rptest.Sub("taro", "postbox"), "")
		w.advance(2 * keeper.AgreeEvery)
		wantAt(t, taro.get(pathBox), pathBox, "")
		if w.link("taro") != "linked" {
			t.Errorf("hub says %q", w.link("taro"))
		}
	})
}

// What the hub did not hear it is told later, over restarts.
func TestHubThatIsDownIsToldLater(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		down := func(down bool) { w.hub.Set(func(s *rptest.Settings) { s.APIDown = down }) }
		taro := w.browser()
		down(true)
		wantAt(t, taro.open(), pathBox, "")
		if w.link("taro") != "" {
			t.Fatal("heard although it was down")
		}
		down(false)
		taro.get(pathBox)
		if w.link("taro") != "linked" {
			t.Errorf("hub says %q", w.link("taro"))
		}
		down(true)
		wantAt(t, taro.send("/close"), "/closed", "")
		w.restart()
		w.advance(2 * time.Minute)
		w.deliver()
		if w.link("taro") != "linked" || w.endings() != 1 {
			t.Fatalf("hub says %q; %d closings", w.link("taro"), w.endings())
		}
		down(false)
		w.deliver() // not due
		if w.endings() != 1 {
			t.Error("tried before its time")
		}
		w.advance(time.Hour)
		w.deliver()
		if w.link("taro") != "ended" || w.endings() != 0 {
			t.Errorf("hub says %q; %d closings", w.link("taro"), w.endings())
		}
	})
}

// Opened again before the hub heard of the closing: there is nothing to tell.
func TestOpenedAgainWithdrawsTheClosing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		down := func(down bool) { w.hub.Set(func(s *rptest.Settings) { s.APIDown = down }) }
		taro := w.browser()
		taro.open()
		down(true)
		taro.send("/close")
		down(false)
		taro.open()
		w.advance(2 * time.Hour)
		w.deliver()
		if w.link("taro") != "linked" || w.endings() != 0 {
			t.Errorf("hub says %q; %d closings", w.link("taro"), w.endings())
		}
	})
}

// Of many at once one opens the box, and one letter welcomes.
func TestManyOpeningsMakeOneBox(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		taro := w.browser()
		taro.get("/login?return=/box")
		mark := markOf(t, taro.get(pathOpen))
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() {
				if page, err := taro.b.Post(w.server.URL+pathOpen, map[string][]string{"for": {mark}}); err != nil || page.URL.Path != pathBox {
					t.Errorf("%s %v", page.URL, err)
				}
			})
		}
		wait.Wait()
		if w.count("postbox_box") != 1 || w.count("postbox_letter") != 1 {
			t.Errorf("%d boxes, %d letters", w.count("postbox_box"), w.count("postbox_letter"))
		}
	})
}

// A form that was shown to one person does nothing to the next.
func TestFormOfAnotherPerson(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		b.open()
		mark := markOf(t, b.get("/close"))
		w.person("hanako")
		b.get(rp.PathInitiate + "?iss=" + w.hub.URL)
		stale := b.post(pathOpen, "stale")
		wantAt(t, stale, pathOpen, "person_changed")
		b.send(pathOpen)
		wantAt(t, b.post("/close", mark), "/close", "person_changed")
		if w.count("postbox_box") != 2 {
			t.Errorf("%d boxes", w.count("postbox_box"))
		}
	})
}

// Whoever reads the database reads no letter, and one moved to another row cannot be opened.
func TestLettersAreSealed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		taro := w.browser()
		letter := letterAt(t, taro.open())
		var stored string
		if err := w.db.QueryRow(t.Context(), `SELECT content FROM postbox_letter`).Scan(&stored); err != nil || strings.Contains(stored, "welcome") {
			t.Errorf("%q %v", stored, err)
		}
		if _, err := w.db.Exec(t.Context(), `UPDATE postbox_letter SET id = 'moved'`); err != nil {
			t.Fatal(err)
		}
		if page := taro.get(letter); page.Status != 404 {
			t.Errorf("status %d", page.Status)
		}
		if page := taro.get("/letters/moved"); page.Status != 500 || page.Error() != "internal" {
			t.Errorf("%d %q", page.Status, page.Error())
		}
	})
}
