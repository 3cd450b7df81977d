package rp

import (
	"testing"
	"time"
)

// TestJudge is the whole table: no tie, one not reported and one reported, against every state of the hub's link, of this tie and of another.
func TestJudge(t *testing.T) {
	made := time.Unix(1000, 0)
	before, after := made.Add(-time.Second), made.Add(time.Second)
	for _, tt := range []struct {
		link            HubLink
		fresh, reported Verdict
	}{
		{HubLink{State: "none"}, Report, Report},
		{HubLink{State: "offered", Since: before}, Report, Forget},
		{HubLink{State: "offered", Since: after}, Report, Forget},
		{HubLink{State: "offered", Since: after, Tie: "this"}, Forget, Forget},
		{HubLink{State: "linked", Since: before, Tie: "this"}, Keep, Keep},
		{HubLink{State: "linked", Since: after, Tie: "this"}, Keep, Keep},
		{HubLink{State: "linked", Since: before, Tie: "other"}, Report, Forget},
		{HubLink{State: "linked", Since: after}, Report, Forget},
		{HubLink{State: "broken", Since: before, Tie: "this"}, Report, Report},
		{HubLink{State: "broken", Since: after, Tie: "other"}, Report, Forget},
		{HubLink{State: "ended", Since: before, Tie: "other"}, Report, Forget},
		{HubLink{State: "ended", Since: made}, Report, Forget}, // the same second: it was ended, and tied again at once
		{HubLink{State: "ended", Since: after, Tie: "other"}, Forget, Forget},
		{HubLink{State: "ended", Since: before, Tie: "this"}, Forget, Forget},
	} {
		if got := Judge(nil, tt.link); got != NoTie {
			t.Errorf("nothing tied, %v: %d", tt.link, got)
		}
		if got := Judge(&Tie{Name: "this", Made: made}, tt.link); got != tt.fresh {
			t.Errorf("not reported, %v: %d, want %d", tt.link, got, tt.fresh)
		}
		if got := Judge(&Tie{Name: "this", Made: made, Reported: true}, tt.link); got != tt.reported {
			t.Errorf("reported, %v: %d, want %d", tt.link, got, tt.reported)
		}
	}
}
