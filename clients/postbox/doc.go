// Package postbox is a sample private delivery provider: whoever proved who she is at the hub may open a box here, and letters come
// into it instead of on paper. It is a third-party site as well, run by nobody the hub's operator knows.
//
// It is a relying party like any other and knows the hub only through clients/rp. No post office is behind it.
//
// # A box
//
// A box is a row that belongs to a person, by the person's name at the hub (sub). There is no other way in: the service has no
// passwords. Letters belong to a box and to nobody else; what they say is sealed with a key derived from the site's credential, which
// is not in the database. Closing a box deletes its letters.
//
// The hub has its own record of the tie, the link. clients/rp/keeper keeps the two in agreement. A tie that is over at the hub puts the box on
// hold, and what is in it stays until the person opens it again.
package postbox
