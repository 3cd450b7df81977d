// Package mailtest is a simulator of a mail server, for tests and for the demo: it speaks enough SMTP (RFC 5321) to take messages, keeps
// the latest in memory and sends them nowhere. It can be told to misbehave.
package mailtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// Bounds of the simulator.
const (
	keep       = 200
	maxMessage = 1 << 20
	patience   = 30 * time.Second // for one line
)

// Message is one message that was taken.
type Message struct {
	At       time.Time
	From, To string // of the envelope
	Header   netmail.Header
	Text     string // decoded
}

// Behaviour is how the server treats whoever comes; the zero value takes everything.
type Behaviour struct {
	Rcpt, Data int  // reply codes to RCPT and after DATA; 0: good
	Hang       bool // after the greeting, say nothing more
	Drop       bool // take the message and hang up without saying so
}

// Simulator is the server.
type Simulator struct {
	now func() time.Time
	tls *tls.Config // nil: no STARTTLS

	mu        sync.Mutex
	behaviour Behaviour
	messages  []Message
	sessions  int
}

// New returns a simulator; with a certificate it offers STARTTLS.
func New(now func() time.Time, certificate *tls.Certificate) *Simulator {
	s := &Simulator{now: now}
	if certificate != nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate}}
	}
	return s
}

// Behave changes how it treats whoever comes from now on.
func (s *Simulator) Behave(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
}

// Messages returns what was taken, oldest first.
func (s *Simulator) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Sessions counts who connected.
func (s *Simulator) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// Serve takes connections until ctx ends, and returns when the last is over.
func (s *Simulator) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		open.Go(func() {
			end := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer end()
			defer func() { _ = conn.Close() }() // the client has gone, or was told everything
			s.session(ctx, conn)
		})
	}
}

// session talks to one client. Whatever breaks ends it: the client is told nothing more.
func (s *Simulator) session(ctx context.Context, conn net.Conn) {
	s.mu.Lock()
	s.sessions++
	how := s.behaviour
	s.mu.Unlock()
	c := &talk{conn: conn, r: bufio.NewReader(io.LimitReader(conn, 2*maxMessage)), now: s.now}
	c.say(220, "mail simulator")
	if how.Hang {
		<-ctx.Done()
		return
	}
	var m Message
	for !c.broken {
		verb, rest, _ := strings.Cut(c.line(), " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			if s.tls != nil && !c.secure {
				c.raw("250-simulator\r\n250-8BITMIME\r\n250 STARTTLS\r\n")
			} else {
				c.raw("250-simulator\r\n250 8BITMIME\r\n")
			}
		case "STARTTLS":
			if s.tls == nil {
				c.say(502, "no")
				continue
			}
			c.say(220, "go on")
			over := tls.Server(conn, s.tls)
			if over.HandshakeContext(ctx) != nil {
				return
			}
			c.conn, c.r, c.secure = over, bufio.NewReader(io.LimitReader(over, 2*maxMessage)), true
		case "MAIL":
			m = Message{From: path(rest)}
			c.say(250, "ok")
		case "RCPT":
			if how.Rcpt != 0 {
				c.say(how.Rcpt, "no such mailbox "+path(rest))
				continue
			}
			m.To = path(rest)
			c.say(250, "ok")
		case "DATA":
			c.say(354, "go on")
			body := c.data()
			if c.broken {
				return
			}
			if how.Data != 0 {
				c.say(how.Data, "not this one")
				continue
			}
			s.take(m, body)
			if how.Drop {
				return
			}
			c.say(250, "taken")
		case "RSET", "NOOP":
			c.say(250, "ok")
		case "QUIT":
			c.say(221, "bye")
			return
		default:
			c.say(500, "what?")
		}
	}
}

func (s *Simulator) take(m Message, raw []byte) {
	m.At = s.now()
	if parsed, err := netmail.ReadMessage(bytes.NewReader(raw)); err == nil {
		m.Header, m.Text = parsed.Header, decoded(parsed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	if len(s.messages) > keep {
		s.messages = s.messages[len(s.messages)-keep:]
	}
}

// path is the address of MAIL FROM:<a> and RCPT TO:<a>.
func path(rest string) string {
	_, after, _ := strings.Cut(rest, "<")
	inside, _, _ := strings.Cut(after, ">")
	return inside
}

// talk is one conversation.
type talk struct {
	conn   net.Conn
	r      *bufio.Reader
	now    func() time.Time
	secure bool
	broken bool
}

func (c *talk) raw(text string) {
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.broken = true
	}
}

func (c *talk) say(code int, text string) { c.raw(fmt.Sprintf("%d %s\r\n", code, text)) }

func (c *talk) line() string {
	if c.conn.SetReadDeadline(c.now().Add(patience)) != nil {
		c.broken = true
		return ""
	}
	line, err := textproto.NewReader(c.r).ReadLine()
	c.broken = c.broken || err != nil
	return line
}

func (c *talk) data() []byte {
	body, err := io.ReadAll(io.LimitReader(textproto.NewReader(c.r).DotReader(), maxMessage))
	c.broken = c.broken || err != nil
	return body
}
