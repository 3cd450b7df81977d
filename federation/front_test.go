package federation

import (
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// A service that only the person's browser can tell gets a receipt that says so, and no more than that: it is never tried, and nothing
// is claimed of it. One with a back channel is told by us whatever the browser does.
func TestOnlyTheBrowserCanTell(t *testing.T) {
	o := newOutbox(t, sqldbtest.Open(t))
	taro := newAccount()
	batch := o.enqueue(LogoutSession, Notice{taro, "front", "s1", "f", true, false}, Notice{taro, "silent", "s1", "s", true, false}, Notice{taro, "etax", "s1", "e", true, false})
	o.want(batch, "front", Asked)
	o.want(batch, "silent", Unsupported) // it registered no address of either kind
	o.want(batch, "etax", Pending)
	// In a sign-out that no browser shows a page for, nobody tells it.
	o.want(o.enqueue(LogoutOtherPerson, Notice{taro, "front", "s2", "f", false, false}), "front", Unsupported)
}
