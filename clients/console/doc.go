// Package console is where operators of the hub work: they register services, approve each other's changes, and look after what runs.
//
// It is a relying party over the administration API and can do nothing by itself: whoever uses it signs in with her card, and every act is a call
// with her own token (call.go). What the API refuses comes back as an adminapi.Problem; field errors are shown at their fields in the reader's
// language, and a conflict shows both versions. It keeps sessions, and forms of people whose sign-in ran out, and nothing else.
//
// # How a page is made
//
// routes.go lists the parts of the console; each has a mount method in a file of its own, pages in pages/, and words in messages/PART.ja.json and
// messages/PART.en.json. Handlers are wrapped in Console.page, which asks the API who the person is: nobody who is no operator sees a page other
// than /join. A form carries the hidden fields that the template "for" writes; its handler is wrapped in Console.act, which refuses one that was
// shown to somebody else than is signed in now.
package console
