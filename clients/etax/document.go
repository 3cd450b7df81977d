package etax

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// The return as the hub and the card app show it to the person who signs.
const (
	documentName = "令和7年分 所得税及び復興特別所得税の確定申告書（見本）"
	documentType = "text/plain"
)

// document writes the return: lines of UTF-8 text. What is signed, shown, downloaded and kept are these bytes.
func document(id string, n Number, f Figures, at time.Time) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	yen := func(name string, y Yen) { line("%s：%s円", name, y) }
	at = at.In(time.FixedZone("JST", 9*60*60))
	t := f.Compute()
	line("%s", documentName)
	line("")
	line("提出先：見本税務署")
	line("書類番号：%s", id)
	line("作成日：%d年%d月%d日", at.Year(), at.Month(), at.Day())
	line("利用者識別番号：%s", n)
	line("")
	line("【収入と所得】")
	yen("給与の収入金額", f.Salary)
	yen("給与所得の金額", t.Income)
	line("")
	line("【所得から差し引かれる金額】")
	yen("社会保険料控除", t.Social)
	yen("医療費控除", t.Medical)
	yen("（支払った医療費）", f.Medical)
	yen("基礎控除", t.Basic)
	yen("合計", t.Relief)
	line("")
	line("【税金の計算】")
	yen("課税される所得金額", t.Taxable)
	yen("所得税額", t.IncomeTax)
	yen("復興特別所得税額", t.Reconstruction)
	yen("所得税及び復興特別所得税の額", t.Total)
	yen("源泉徴収税額", f.Withheld)
	if t.Pay > 0 {
		yen("納める税金", t.Pay)
	} else {
		yen("還付される税金", t.Refund)
	}
	return []byte(b.String())
}

// describe is what the hub is told about a return.
func describe(content []byte) rp.Document { return rp.NewDocument(documentName, documentType, content) }

// groups is a document's SHA-256 as the hub and the card app show it, so that it can be compared.
func groups(content []byte) string {
	text := fmt.Sprintf("%x", sha256.Sum256(content))
	parts := make([]string, 0, len(text)/4)
	for i := 0; i < len(text); i += 4 {
		parts = append(parts, text[i:i+4])
	}
	return strings.Join(parts, " ")
}
