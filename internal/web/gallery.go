package web

import "net/http"

// Gallery answers with every component on one page, for development and for browser tests. Mount it at
// /_components; never in production.
func Gallery(s *Site) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Render(w, r, http.StatusOK, Page{
			Name: "components", Title: "gallery.title", SignedIn: true, Data: samples(),
			Crumbs: []Crumb{{Key: "site.name", Href: "/"}, {Key: "gallery.title"}},
		})
	})
}

type sampleSet struct {
	Buttons []Button
	Banners []Banner
	Summary ErrorSummary
	Fields  []Field
	Select  Select
	Steps   Steps
	Status  StatusLine
	Facts   DescriptionList
	Tables  []Table
	Tiles   []Tile
	Chips   []Chip
	Explain Explain
	Confirm Confirm
	Empty   Empty
}

func samples() sampleSet {
	return sampleSet{
		Buttons: []Button{
			{Label: "カードアプリに進む", ID: "sample-main"}, {Label: "やめる", Kind: "line"}, {Label: "消す", Kind: "danger"},
			{Label: "くわしく見る", Kind: "text", Href: "#main", Context: "見本e-Tax"}, {Label: "切る", Kind: "line", Size: "small"},
		},
		Banners: []Banner{
			{Kind: "ok", Title: "見本e-Taxとつながりました", Body: "次からはこのボタンだけで入れます。", Status: true},
			{Kind: "info", Title: "もう一度本人確認が必要です"},
			{Kind: "warn", Title: "カードアプリが動いていないようです", Buttons: []Button{{Label: "もう一度試す", Kind: "line"}}},
			{Kind: "error", Title: "暗証番号が違います（あと1回）", Lines: []string{"次に間違えるとロックされます。", "自信がないときは、やめられます。"}},
			{Kind: "quiet", Title: "記録は7年間残ります", Level: 3},
		},
		Summary: ErrorSummary{Items: []FieldError{{Field: "sample-number", Text: "利用者識別番号を16桁で入れてください"}}},
		Fields: []Field{
			{ID: "sample-number", Label: "利用者識別番号", Hint: "16桁の数字です。4桁ずつでもかまいません。",
				Error: "利用者識別番号を16桁で入れてください", Inputmode: "numeric", Value: "1234", Mark: "required"},
			{ID: "sample-pin", Label: "暗証番号", Type: "password", Inputmode: "numeric", MaxLength: 4, Autocomplete: "off", Width: "short"},
			{ID: "sample-mail", Label: "メールアドレス", Type: "email", Autocomplete: "email", Mark: "optional"},
		},
		Select: Select{ID: "sample-card", Label: "使うカード", Hint: "架空の人のカードです。", Options: []Option{
			{Value: "taro", Label: "太郎（有効）", Selected: true}, {Value: "hanako", Label: "花子（有効）"}}},
		Steps: Steps{Label: "読み取りの順番", Items: []Step{
			{Label: "リーダーをつなぐ", State: "done"}, {Label: "カードを置く", Text: "表を上にします。", State: "current"},
			{Label: "暗証番号を入れる"}}},
		Status: StatusLine{Text: "電子証明書を確認しています", Busy: true},
		Facts: DescriptionList{Items: []Description{
			{Term: "種類", Value: "マイナンバーカード"}, {Term: "渡した情報", Values: []string{"番号", "つながりの状態"}},
			{Term: "アドレス", Value: "https://a-very-long-name.of-some-service.example/with/a/path/that/has/to/wrap"}}},
		Tables: []Table{
			{ID: "sample-table", Caption: "申告の一覧", Cols: []string{"年分", "種類", "状態"}, Rows: [][]string{
				{"2025年（令和7年）", "所得税の確定申告", "受け付けました"}, {"2024年（令和6年）", "所得税の確定申告", "受け付けました"}}},
			{ID: "sample-none", Empty: "この期間の記録はありません"},
		},
		Tiles: []Tile{
			{ID: "sample-tile", Badge: "G", Title: "もっとつながる", Text: "e-Taxなどのサイトに入れます。", Button: Button{Label: "もっとつながるを開く", Kind: "line", Href: "#main"}},
			{ID: "sample-form", Title: "見本e-Tax", Text: "国税の申告の見本です。", Chip: "つながっています", ChipKind: "ok", Action: "/_components",
				Hidden: []Hidden{{Name: "client_id", Value: "etax"}}, Button: Button{Label: "開く", Context: "見本e-Tax"}, Note: "2026年11月23日から", Hook: "launch", HookValue: "etax"},
		},
		Chips:   []Chip{{Text: "有効", Kind: "ok"}, {Text: "追加", Kind: "info"}, {Text: "期限が近い", Kind: "warn"}, {Text: "停止中", Kind: "error"}, {Text: "未読 2件"}},
		Explain: Explain{Title: "利用者フォルダとは", Points: []string{"あなた専用の入れ物です。", "マイナンバーは入りません。"}, Open: true},
		Confirm: Confirm{Title: "見本e-Taxとのつながりを切りますか", Points: []string{"次に使うとき、もう一度確認が出ます。", "サービスにある情報は消えません。"},
			Action: "/_components", Submit: Button{Label: "つながりを切る", Kind: "danger"}, BackLabel: "やめる", BackHref: "#main"},
		Empty: Empty{Title: "つながっているサービスはまだありません", Text: "「もっとつながる」から探せます。", Button: Button{Label: "探す", Kind: "line", Href: "#main"}},
	}
}
