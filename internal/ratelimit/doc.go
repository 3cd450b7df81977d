// Package ratelimit counts how often somebody does something and says when it is too often. It keeps its counters in the
// ephemeral store, so all processes of a hub count together.
//
// It refuses to know what is limited and who is counted: the owner of a limit declares a [Rule], and who is any text that
// identifies the counted (an address block, a client, an account). That text is digested before it becomes part of a key.
//
// Windows are fixed: a rule of 10 a minute allows 10 from 09:00:00 to 09:00:59, and so at worst 20 within a second or two around
// the change. That is the price of one atomic increment per question; choose limits that can bear the double.
package ratelimit
