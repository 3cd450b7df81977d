package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTimeout bounds each of the three parts of a delivery: connecting, sending, saying goodbye.
const sendTimeout = 10 * time.Second

// Security is how the way to the server is protected.
type Security string

// The securities.
const (
	StartTLS Security = "starttls" // plain at first, then TLS or nothing (RFC 3207)
	Implicit Security = "tls"      // TLS from the first byte (RFC 8314 §3.3)
	Loopback Security = "none"     // no TLS: for a server on this machine only
)

// Config is a mail server that takes our messages.
type Config struct {
	Address  string // host:port
	Security Security
	From     Address
	FromName string         // beside the address; may be empty
	User     string         // empty: the server asks for none
	Password []byte         // with User
	RootCAs  *x509.CertPool // nil: the system's
	Timeout  time.Duration  // of connecting, and of sending, each; 0: 10 seconds
}

// SMTP hands messages to one server, each over a connection of its own. It is safe for concurrent use.
type SMTP struct {
	client *gomail.Client
	from   netmail.Address
	host   string // of From, for Message-IDs
	limit  time.Duration
}

// NewSMTP returns a sender, or an error naming the part of the configuration that is wrong. It connects to nothing.
func NewSMTP(c Config) (*SMTP, error) {
	host, portText, err := net.SplitHostPort(c.Address)
	port, perr := strconv.ParseUint(portText, 10, 16)
	if err != nil || perr != nil || host == "" || port == 0 {
		return nil, fmt.Errorf("mail: address %q is not host:port", c.Address)
	}
	if c.From.s == "" {
		return nil, errors.New("mail: from is missing")
	}
	if (c.User == "") != (len(c.Password) == 0) {
		return nil, errors.New("mail: user and password come together")
	}
	if c.Timeout == 0 {
		c.Timeout = sendTimeout
	}
	options := []gomail.Option{
		gomail.WithPort(int(port)), gomail.WithTimeout(c.Timeout), gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithHELO(domainOf(c.From)),
		gomail.WithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: c.RootCAs}),
	}
	switch c.Security {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Implicit:
		options = append(options, gomail.WithSSL())
	case Loopback:
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, errors.New("mail: without TLS only a server on this machine is used")
		}
		if c.User != "" {
			return nil, errors.New("mail: a password is not sent without TLS")
		}
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return nil, fmt.Errorf("mail: security is %s, %s or %s", StartTLS, Implicit, Loopback)
	}
	if c.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.User), gomail.WithPassword(string(c.Password)))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	from := netmail.Address{Name: c.FromName, Address: c.From.s}
	return &SMTP{client: client, from: from, host: domainOf(c.From), limit: c.Timeout}, nil
}

func domainOf(a Address) string {
	for i := range len(a.s) {
		if a.s[i] == '@' {
			return a.s[i+1:]
		}
	}
	return ""
}

// Send hands one message to the server. nil means that the server has taken it.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingB64))
	msg.FromMailAddress(&s.from)
	msg.ToMailAddress(&netmail.Address{Address: m.To.s})
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(m.ID + "@" + s.host)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody answers by machine
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	client, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return &Error{Stage: StageConnect, Code: codeOf(err)}
	}
	sent := s.client.SendWithSMTPClient(client, msg)
	_ = s.client.CloseWithSMTPClient(client) // the message is taken or not, however the connection ends
	return judge(sent)
}

// judge turns the library's error into ours.
func judge(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Stage: StageContent}
	s, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		e.Code = codeOf(err)
		return e
	}
	e.Code = s.ErrorCode()
	switch s.Reason { //nolint:exhaustive // the rest is about the content
	case gomail.ErrConnCheck:
		e.Stage = StageConnect
	case gomail.ErrSMTPMailFrom, gomail.ErrGetSender:
		e.Stage = StageSender
	case gomail.ErrSMTPRcptTo, gomail.ErrGetRcpts:
		e.Stage = StageRecipient
		e.Permanent = e.Code >= 500
	}
	return e
}

func codeOf(err error) int {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code
	}
	return 0
}
