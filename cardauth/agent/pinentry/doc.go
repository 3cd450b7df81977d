// Package pinentry takes a PIN or a password outside a browser: in a terminal without echo, or in a small window of the system's own. It
// is the only package that imports a library for either.
//
// A window is that of zenity on Linux (or qarma, matedialog), of the system on macOS and Windows. What is typed passes through a string
// of the library's that cannot be wiped, as a form's does.
package pinentry
