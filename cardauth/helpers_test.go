package cardauth

import (
	stdpem "encoding/pem"
	"strconv"
	"strings"
)

func splitOID(dotted string) []int {
	var out []int
	for _, part := range strings.Split(dotted, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			panic(err)
		}
		out = append(out, n)
	}
	return out
}

func pemOf(der []byte) []byte {
	return stdpem.EncodeToMemory(&stdpem.Block{Type: "CERTIFICATE", Bytes: der})
}
