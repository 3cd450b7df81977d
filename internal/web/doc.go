// Package web is the frame of every page: templates, messages, headers, cookies, static files.
package web
