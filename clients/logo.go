package clients

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

// Bounds of a logo.
const (
	MaxLogo       = 1 << 20 // bytes of a file that is looked at
	maxLogoPixels = 4 << 20 // pixels of what it shows, which bounds what decoding takes
	maxLogoSide   = 4096    // pixels
	minLogoSide   = 16      // pixels
	logoSide      = 512     // pixels of what is kept, at most
)

// readLogo makes of a picture that somebody sent the PNG that citizens see: decoded and drawn anew, so that nothing of the file is kept but
// its pixels, at most 512 a side. Faults are *FieldErrors of the field logo.
func readLogo(b []byte) ([]byte, error) {
	const export = "export it as PNG or JPEG, at most 1 MiB and 4096 pixels a side"
	if len(b) > MaxLogo {
		return nil, faultOf("logo", "is larger than 1 MiB", export)
	}
	config, decode := png.DecodeConfig, png.Decode
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		config, decode = jpeg.DecodeConfig, jpeg.Decode
	default:
		return nil, faultOf("logo", "is neither a PNG nor a JPEG picture", export+"; SVG is not taken, because it can carry script")
	}
	size, err := config(bytes.NewReader(b))
	switch {
	case err != nil:
		return nil, faultOf("logo", "cannot be read as a picture", export)
	case size.Width > maxLogoSide || size.Height > maxLogoSide || size.Width*size.Height > maxLogoPixels:
		return nil, faultOf("logo", fmt.Sprintf("has %d × %d pixels", size.Width, size.Height), "make it smaller: 512 × 512 is what is kept")
	case size.Width < minLogoSide || size.Height < minLogoSide:
		return nil, faultOf("logo", fmt.Sprintf("has %d × %d pixels", size.Width, size.Height), "make it 16 pixels a side at least; 512 is best")
	}
	picture, err := decode(bytes.NewReader(b))
	if err != nil {
		return nil, faultOf("logo", "cannot be read as a picture", export)
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, shrink(picture)); err != nil {
		return nil, fmt.Errorf("encode logo: %w", err)
	}
	return out.Bytes(), nil
}

// shrink draws a picture at most 512 pixels a side, each the mean of the pixels it stands for.
func shrink(in image.Image) *image.NRGBA {
	from := in.Bounds()
	w, h := from.Dx(), from.Dy()
	if longest := max(w, h); longest > logoSide {
		w, h = max(1, w*logoSide/longest), max(1, h*logoSide/longest)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		top, bottom := from.Min.Y+y*from.Dy()/h, from.Min.Y+(y+1)*from.Dy()/h
		for x := range w {
			left, right := from.Min.X+x*from.Dx()/w, from.Min.X+(x+1)*from.Dx()/w
			copy(out.Pix[out.PixOffset(x, y):], mean(in, image.Rect(left, top, right, bottom)))
		}
	}
	return out
}

// mean is the mean colour of a part of a picture, weighed by opacity: red, green, blue, opacity.
func mean(in image.Image, part image.Rectangle) []byte {
	if part.Dx() == 1 && part.Dy() == 1 { // exactly
		c, ok := color.NRGBAModel.Convert(in.At(part.Min.X, part.Min.Y)).(color.NRGBA)
		if ok {
			return []byte{c.R, c.G, c.B, c.A}
		}
	}
	var r, g, b, a, n uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			pr, pg, pb, pa := in.At(x, y).RGBA() // multiplied by opacity, 16 bits each
			r, g, b, a, n = r+uint64(pr), g+uint64(pg), b+uint64(pb), a+uint64(pa), n+1
		}
	}
	if a == 0 || n == 0 {
		return []byte{0, 0, 0, 0}
	}
	channel := func(sum uint64) byte { return byte(min(sum*255/a, 255)) }
	return []byte{channel(r), channel(g), channel(b), byte(min(a/n>>8, 255))}
}

// logoName is what a logo is kept and served under.
func logoName(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// isLogoName reports whether text is 64 lower-case hexadecimal digits.
func isLogoName(text string) bool {
	if len(text) != 2*sha256.Size {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// LogoPath is where the hub serves a logo, at the citizens' address; empty for an empty name.
func LogoPath(name string) string {
	if name == "" {
		return ""
	}
	return "/logos/" + name + ".png"
}
