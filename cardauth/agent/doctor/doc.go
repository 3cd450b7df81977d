// Package doctor looks at everything a login with the card needs on a citizen's computer and says, in words for a telephone, what is in
// order and what to do about the rest. It costs no try and tells nothing about the person: no name, no serial number, no address.
package doctor
