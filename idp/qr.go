package idp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// quietZone is the white margin of a QR code in modules (ISO/IEC 18004 §9.1).
const quietZone = 4

// qrView is a QR code as one path in an SVG picture whose sides are Size modules long, margin included.
type qrView struct {
	Size int
	Path string
}

// drawQR makes a QR code of a text. Level M survives a reflection on a screen and is no bigger than a phone reads from a screen at arm's length.
func drawQR(text string) (qrView, error) {
	code, err := qr.EncodeWithColor(text, qr.M, qr.Unicode, barcode.ColorScheme8)
	if err != nil {
		return qrView{}, fmt.Errorf("draw QR code: %w", err)
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(x, y) {
				x++
			}
			if x > from { // one stroke for each run of dark modules
				path.WriteString("M" + strconv.Itoa(from+quietZone) + " " + strconv.Itoa(y+quietZone) + "h" + strconv.Itoa(x-from) + "v1h-" + strconv.Itoa(x-from) + "z")
			}
		}
	}
	return qrView{Size: size + 2*quietZone, Path: path.String()}, nil
}
