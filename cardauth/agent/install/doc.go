// Package install makes a computer know the card app: links that begin with tsunagu-card: open it, and it starts when the citizen signs
// in to the computer. For Linux it writes the files in their places; for macOS and Windows it writes files that the system's own tools
// take. All of it belongs to one user of the computer, and none of it needs an administrator.
package install

const (
	// Scheme is the link type of the card app, without the colon.
	Scheme = "tsunagu-card"
	// name is what files and services of ours are called.
	name = "tsunagu-cardagent"
	// bundleID names the program on macOS, in reverse domain form.
	bundleID = "id.tsunagu.cardagent"
)
