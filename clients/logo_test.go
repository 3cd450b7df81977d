package clients

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func picture(w, h int) image.Image {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range p.Pix {
		p.Pix[i] = byte(i * 7)
	}
	return p
}

func asPNG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, p))
	return b.Bytes()
}

func TestLogoIsDrawnAnew(t *testing.T) {
	var photo bytes.Buffer
	must(t, jpeg.Encode(&photo, picture(600, 300), nil))
	// A picture of one colour, half of it see-through.
	red := image.NewNRGBA(image.Rect(0, 0, 1024, 1024))
	for y := range 1024 {
		for x := range 1024 {
			red.SetNRGBA(x, y, color.NRGBA{R: 200, A: byte(255 * (x & 1))})
		}
	}
	hidden := append(asPNG(t, picture(100, 50)), []byte("<script>alert(1)</script>")...)
	for _, c := range []struct {
		name string
		in   []byte
		w, h int
	}{
		{"small", asPNG(t, picture(64, 64)), 64, 64},
		{"wide", asPNG(t, picture(1000, 100)), 512, 51},
		{"photo", photo.Bytes(), 512, 256},
		{"half see-through", asPNG(t, red), 512, 512},
		{"with something behind it", hidden, 100, 50},
	} {
		out, err := readLogo(c.in)
		must(t, err)
		p, err := png.Decode(bytes.NewReader(out))
		must(t, err)
		if b := p.Bounds(); b.Dx() != c.w || b.Dy() != c.h || bytes.Contains(out, []byte("script")) {
			t.Errorf("%s: %v", c.name, b)
		}
		if again, err := readLogo(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: drawing it once more makes another picture: %v", c.name, err)
		}
		if c.name == "half see-through" && p.At(3, 3) != (color.NRGBA{R: 200, A: 127}) {
			t.Errorf("%s: %v", c.name, p.At(3, 3))
		}
	}
}

func TestLogosThatAreRefused(t *testing.T) {
	huge := asPNG(t, picture(17, 17))
	copy(huge[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // says that it has 65536 × 65536 pixels
	for name, b := range map[string][]byte{
		"5 MB":             append(asPNG(t, picture(64, 64)), make([]byte, 5<<20)...),
		"SVG with script":  []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
		"GIF":              []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
		"bomb":             huge,
		"too small":        asPNG(t, picture(15, 64)),
		"nothing":          nil,
		"cut off":          asPNG(t, picture(64, 64))[:200],
		"HTML after PNG's": []byte("\x89PNG\r\n\x1a\n<html>"),
	} {
		_, err := readLogo(b)
		if e, ok := asFaults(err); !ok || len(e.List) != 1 || e.List[0].Field != "logo" || e.List[0].Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzLogo(f *testing.F) {
	f.Add(asPNG(f, picture(20, 20)))
	var photo bytes.Buffer
	must(f, jpeg.Encode(&photo, picture(20, 30), nil))
	f.Add(photo.Bytes())
	f.Add([]byte(`<svg/>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := readLogo(b)
		if err != nil {
			if _, ok := asFaults(err); !ok {
				t.Fatal(err)
			}
			return
		}
		c, err := png.DecodeConfig(bytes.NewReader(out))
		if err != nil || c.Width > logoSide || c.Height > logoSide {
			t.Fatalf("%v, %v", c, err)
		}
	})
}

func TestLogoGoesWithTheDraft(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		live(t, r, "a", nil)
		saved, err := r.SetLogo(ctx, "a", 0, asPNG(t, picture(64, 64)), hanako)
		must(t, err)
		if c, err := r.Get(ctx, "a"); err != nil || c.Logo() != "" {
			t.Errorf("live before it was approved: %v, %v", c.Logo(), err)
		}
		if _, err := r.SetLogo(ctx, "a", 0, asPNG(t, picture(32, 32)), taro); refusalOf(err) != Conflict {
			t.Errorf("whoever did not see the draft: %v", err)
		}
		must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
		must(t, r.Approve(ctx, "a", Approval{Revision: saved.Draft.Revision, By: taro}))
		c, err := r.Get(ctx, "a")
		must(t, err)
		name := LogoName(strings.TrimPrefix(c.Logo(), "/logos/"))
		b, err := r.Logo(ctx, name)
		if err != nil || logoName(b) != name {
			t.Errorf("%q: %v", c.Logo(), err)
		}
		saved, err = r.DropLogo(ctx, "a", 0, hanako)
		if err != nil || strings.Contains(string(saved.Draft.Metadata), "logo") {
			t.Errorf("%s, %v", saved.Draft.Metadata, err)
		}
		for _, name := range []string{"", "..", strings.Repeat("0", 64), name + ".png", strings.ToUpper(name)} {
			if _, err := r.Logo(ctx, name); err == nil {
				t.Errorf("%q is served", name)
			}
		}
		// What was never uploaded cannot be named.
		for _, word := range []string{strings.Repeat("0", 64), "https://a.example/logo.png"} {
			_, err := r.Save(ctx, "a", writing(t, "a", saved.Draft.Revision, hanako, map[string]any{"logo": word}))
			if faultsOf(err) != "logo" {
				t.Errorf("%s: %v", word, err)
			}
		}
	})
}
