package web

import (
	"fmt"
	"time"
)

// japan is where every office of ours is; it has had no daylight saving since 1951, so no zone file is needed.
func japan(t time.Time) time.Time { return t.In(time.FixedZone("JST", 9*60*60)) }

// date writes 2026年11月23日（月） or 23 November 2026.
func (l Language) date(t time.Time) string {
	t = japan(t)
	if l.HTML == "ja" {
		return fmt.Sprintf("%d年%d月%d日（%s）", t.Year(), t.Month(), t.Day(), weekday(t))
	}
	return t.Format("2 January 2006")
}

// datetime writes 2026年11月23日（月）14:05 or 23 November 2026, 14:05 (Japan time).
func (l Language) datetime(t time.Time) string {
	t = japan(t)
	if l.HTML == "ja" {
		return l.date(t) + t.Format("15:04")
	}
	return l.date(t) + t.Format(", 15:04") + " (Japan time)"
}

// clock writes 14:05.
func clock(t time.Time) string { return japan(t).Format("15:04") }

// DateTime writes a time as pages in the language do, for text that is none.
func DateTime(lang string, t time.Time) string { return languageOf(lang).datetime(t) }

func weekday(t time.Time) string {
	return []string{"日", "月", "火", "水", "木", "金", "土"}[t.Weekday()]
}
