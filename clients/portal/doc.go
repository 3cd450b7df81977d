// Package portal is the citizen's portal: a front page, a home page, and one folder per function below this one. It is a
// relying party like any other and knows the hub only through clients/rp.
//
// Functions are listed in modules.go. They share the sign-in and the look, and otherwise meet through URLs only. A function
// that is not built has no tile.
package portal
