// Package connect is function G of the portal, もっとつながる: the services a person can connect, those that are connected, the
// way into them, and the end of a connection.
//
// It stores nothing but when a service was last opened. Which services there are and how a link stands is asked of the hub
// every time, so that it is never told wrongly; entering a service is a redirect to its own login address (OpenID Connect
// Core §4), where the hub lets the person through without a question.
package connect
