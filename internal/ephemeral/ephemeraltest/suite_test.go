package ephemeraltest

import "testing"

func TestStores(t *testing.T) { each(t, Suite) }
