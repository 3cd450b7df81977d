// Package mail sends plain-text messages to one person at a time, over SMTP (RFC 5321) and nothing else. It is the one door to
// github.com/wneessen/go-mail.
//
// It refuses to know what messages say. No error of it names an address or quotes a server's answer, which may repeat one: errors carry
// the step at which it went wrong and the code.
package mail
