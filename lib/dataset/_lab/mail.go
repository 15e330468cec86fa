package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"crypto/tls"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

func init() {
	add("smtp", "send", 20, func(w *World) error { return smtpSend(w, w.Between(200, 3000)) })
	add("smtp", "large", 7, func(w *World) error { return smtpSend(w, w.Between(6000, 22000)) })
	add("smtp", "auth", 10, smtpAuth)
	add("smtp", "rejected", 12, smtpRejected)
	add("smtp", "greylist", 6, smtpGreylist)
	add("smtp", "starttls", 4, smtpStartTLS)
	add("smtp", "probe", 6, smtpProbe)
	add("imap", "read", 18, imapRead)
	add("imap", "check", 16, imapCheck)
	add("imap", "idle", 8, imapIdle)
	add("imap", "append", 8, imapAppend)
	add("imap", "denied", 8, imapDenied)
}

// mail makes a message of about n bytes of text, at times with an attachment.
func (w *World) mail(n int) []byte {
	var b bytes.Buffer
	from := drawPerson(w.Rand)
	head := func(k, v string) { fmt.Fprintf(&b, "%s: %s\r\n", k, v) }
	head("From", fmt.Sprintf("%s %s <%s@%s>", from.First, from.Last, from.Login, drawDomain(w.Rand)))
	head("To", fmt.Sprintf("%s@%s", w.User.Login, w.Domain))
	head("Subject", strings.TrimSuffix(sentence(w.Rand, w.Between(2, 7)), "."))
	head("Date", time.Now().UTC().Format(time.RFC1123Z))
	head("Message-ID", fmt.Sprintf("<%s@%s>", token(w.Rand, 16), w.Domain))
	if w.Chance(.5) {
		head("X-Mailer", pick(w.Rand, []string{"Thunderbird 128.7", "Microsoft Outlook 16.0", "Apple Mail (2.3826)", "mutt 2.2.12"}))
	}
	head("MIME-Version", "1.0")
	if n < 2000 || w.Chance(.6) {
		head("Content-Type", "text/plain; charset=utf-8")
		b.WriteString("\r\n" + text(w.Rand, n, "\r\n"))
		return b.Bytes()
	}
	mark := token(w.Rand, 20)
	head("Content-Type", "multipart/mixed; boundary=\""+mark+"\"")
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: text/plain\r\n\r\n%s\r\n--%s\r\nContent-Type: text/csv; name=\"%s.csv\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		mark, text(w.Rand, n*3/4, "\r\n"), mark, pick(w.Rand, parts))
	enc := base64.StdEncoding.EncodeToString([]byte(text(w.Rand, n/8, "\n")))
	for len(enc) > 76 {
		b.WriteString(enc[:76] + "\r\n")
		enc = enc[76:]
	}
	fmt.Fprintf(&b, "%s\r\n--%s--\r\n", enc, mark)
	return b.Bytes()
}

// mta is an SMTP server that takes mail unless told otherwise.
type mta struct {
	w        *World
	password string
	reject   bool
	greylist bool
}

func (m *mta) NewSession(*smtp.Conn) (smtp.Session, error) {
	m.w.Think()
	return &mtaSession{m: m}, nil
}

type mtaSession struct {
	m      *mta
	authed bool
}

func (s *mtaSession) AuthMechanisms() []string {
	if s.m.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *mtaSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		s.m.w.Think()
		if password != s.m.password {
			return smtp.ErrAuthFailed
		}
		s.authed = true
		return nil
	}), nil
}

func (s *mtaSession) Mail(from string, _ *smtp.MailOptions) error {
	s.m.w.Think()
	if s.m.password != "" && !s.authed {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *mtaSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.w.Think()
	switch {
	case s.m.greylist:
		s.m.greylist = false
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted, please try again later"}
	case s.m.reject && s.m.w.Chance(.7):
		return pick(s.m.w.Rand, []*smtp.SMTPError{
			{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + ">: Recipient address rejected: User unknown"},
			{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "<" + to + ">: Relay access denied"},
			{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 2, 2}, Message: "Mailbox full"},
		})
	}
	return nil
}

func (s *mtaSession) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.m.w.Think()
	return nil
}

func (s *mtaSession) Reset()        {}
func (s *mtaSession) Logout() error { return nil }

// serveSMTP starts the server and returns a dialler of connections to it.
func (w *World) serveSMTP(m *mta, cfg *tls.Config) (func() (conn, error), error) {
	if w.Name == "www."+w.Domain {
		w.SetName(pick(w.Rand, []string{"mail", "mx1", "mx2", "smtp", "relay"}))
	}
	port := pick(w.Rand, []uint16{25, 25, 25, 587})
	l, err := w.Serve(port, "smtp")
	if err != nil {
		return nil, err
	}
	s := smtp.NewServer(m)
	s.Domain = w.Name
	s.AllowInsecureAuth = true
	s.MaxMessageBytes = int64(pick(w.Rand, []int{0, 10 << 20, 36700160, 52428800}))
	s.MaxRecipients = 50
	s.ReadTimeout, s.WriteTimeout = 5*time.Minute, 5*time.Minute
	s.TLSConfig = cfg
	s.ErrorLog = quiet
	go s.Serve(l)
	w.Defer(func() { s.Close() })
	return func() (conn, error) { return w.Client.Dial("tcp", w.Addr(port)) }, nil
}

// deliver sends a message to n recipients and leaves politely.
func (w *World) deliver(c *smtp.Client, message []byte, n int) error {
	if err := c.Hello(pick(w.Rand, []string{"localhost", "mail." + drawDomain(w.Rand), "[" + w.Client.Addr.String() + "]"})); err != nil {
		return err
	}
	if err := c.Mail(drawPerson(w.Rand).Login+"@"+drawDomain(w.Rand), nil); err != nil {
		return err
	}
	taken := 0
	for range n {
		if err := c.Rcpt(drawPerson(w.Rand).Login+"@"+w.Domain, nil); err == nil {
			taken++
		}
	}
	if taken == 0 {
		c.Reset()
		return c.Quit()
	}
	d, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := d.Write(message); err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func smtpSend(w *World, size int) error {
	dial, err := w.serveSMTP(&mta{w: w}, nil)
	if err != nil {
		return err
	}
	for range w.Between(1, 2) {
		raw, err := dial()
		if err != nil {
			return err
		}
		if err := w.deliver(smtp.NewClient(raw), w.mail(size), w.Between(1, 3)); err != nil {
			return err
		}
		w.Sleep(20)
	}
	return nil
}

func smtpAuth(w *World) error {
	m := &mta{w: w, password: token(w.Rand, w.Between(6, 12))}
	dial, err := w.serveSMTP(m, nil)
	if err != nil {
		return err
	}
	guess := m.password
	if w.Chance(.4) {
		guess = token(w.Rand, 8)
	}
	for range w.Between(1, 2) {
		raw, err := dial()
		if err != nil {
			return err
		}
		c := smtp.NewClient(raw)
		if err := c.Auth(sasl.NewPlainClient("", w.User.Login, guess)); err != nil {
			c.Quit()
			continue
		}
		if err := w.deliverAuthed(c); err != nil {
			return err
		}
		w.Sleep(30)
	}
	return nil
}

func (w *World) deliverAuthed(c *smtp.Client) error {
	if err := c.Mail(w.User.Login+"@"+w.Domain, nil); err != nil {
		return err
	}
	if err := c.Rcpt(drawPerson(w.Rand).Login+"@"+drawDomain(w.Rand), nil); err != nil {
		return err
	}
	d, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := d.Write(w.mail(w.Between(100, 2000))); err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func smtpRejected(w *World) error {
	dial, err := w.serveSMTP(&mta{w: w, reject: true}, nil)
	if err != nil {
		return err
	}
	for range w.Between(1, 3) {
		raw, err := dial()
		if err != nil {
			return err
		}
		if err := w.deliver(smtp.NewClient(raw), w.mail(w.Between(100, 800)), w.Between(1, 4)); err != nil {
			return err
		}
		w.Sleep(5)
	}
	return nil
}

// smtpGreylist is turned away the first time and comes back minutes later.
func smtpGreylist(w *World) error {
	dial, err := w.serveSMTP(&mta{w: w, greylist: true}, nil)
	if err != nil {
		return err
	}
	message := w.mail(w.Between(200, 1500))
	for range 2 {
		raw, err := dial()
		if err != nil {
			return err
		}
		if err := w.deliver(smtp.NewClient(raw), message, 1); err != nil {
			return err
		}
		w.Sleep(400)
	}
	return nil
}

func smtpStartTLS(w *World) error {
	w.SetName("mx1")
	server, client, err := w.tlsConfigs()
	if err != nil {
		return err
	}
	dial, err := w.serveSMTP(&mta{w: w}, server)
	if err != nil {
		return err
	}
	raw, err := dial()
	if err != nil {
		return err
	}
	c, err := smtp.NewClientStartTLS(raw, client)
	if err != nil {
		return err
	}
	if err := c.Mail(w.User.Login+"@"+w.Domain, nil); err != nil {
		return err
	}
	if err := c.Rcpt(drawPerson(w.Rand).Login+"@"+w.Domain, nil); err != nil {
		return err
	}
	d, err := c.Data()
	if err != nil {
		return err
	}
	d.Write(w.mail(w.Between(100, 700)))
	if err := d.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// smtpProbe looks what the server can do and leaves; some just hang up.
func smtpProbe(w *World) error {
	dial, err := w.serveSMTP(&mta{w: w}, nil)
	if err != nil {
		return err
	}
	for range w.Between(1, 3) {
		raw, err := dial()
		if err != nil {
			return err
		}
		c := smtp.NewClient(raw)
		if err := c.Hello("monitor." + w.Domain); err != nil {
			return err
		}
		if w.Chance(.5) {
			c.Noop()
			c.Quit()
		} else {
			c.Close()
		}
		w.Sleep(60)
	}
	return nil
}

// serveIMAP starts a server with a filled mailbox and returns a dialler.
func (w *World) serveIMAP() (func() (*imapclient.Client, error), string, error) {
	w.SetName(pick(w.Rand, []string{"imap", "mail"}))
	password := token(w.Rand, w.Between(6, 12))
	user := imapmemserver.NewUser(w.User.Login, password)
	for _, name := range []string{"INBOX", "Sent", "Trash", "Archive", pick(w.Rand, parts)} {
		user.Create(name, nil)
	}
	for range w.Between(1, 7) {
		m := w.mail(w.Between(80, 2500))
		if _, err := user.Append("INBOX", bytes.NewReader(m), &imap.AppendOptions{Time: time.Now().Add(-time.Duration(w.IntN(1e6)) * time.Second)}); err != nil {
			return nil, "", err
		}
	}
	mem := imapmemserver.New()
	mem.AddUser(user)
	l, err := w.Serve(143, "imap")
	if err != nil {
		return nil, "", err
	}
	s := imapserver.New(&imapserver.Options{InsecureAuth: true, Logger: quiet,
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIdle: {}, imap.CapUIDPlus: {}, imap.CapNamespace: {}},
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			w.Think()
			return mem.NewSession(), nil, nil
		}})
	go s.Serve(l)
	w.Defer(func() { s.Close() })
	return func() (*imapclient.Client, error) {
		raw, err := w.Client.Dial("tcp", w.Addr(143))
		if err != nil {
			return nil, err
		}
		return imapclient.New(raw, nil), nil
	}, password, nil
}

func (w *World) imapLogin(mailbox string) (*imapclient.Client, error) {
	dial, password, err := w.serveIMAP()
	if err != nil {
		return nil, err
	}
	c, err := dial()
	if err != nil {
		return nil, err
	}
	if err := c.Login(w.User.Login, password).Wait(); err != nil {
		return nil, err
	}
	if mailbox == "" {
		return c, nil
	}
	_, err = c.Select(mailbox, nil).Wait()
	return c, err
}

func imapRead(w *World) error {
	c, err := w.imapLogin("INBOX")
	if err != nil {
		return err
	}
	defer c.Close()
	all := imap.SeqSet{}
	all.AddRange(1, 0)
	if _, err := c.Fetch(all, &imap.FetchOptions{Envelope: true, Flags: true, UID: true, RFC822Size: true}).Collect(); err != nil {
		return err
	}
	for i := range w.Between(1, 3) {
		w.Sleep(logUniform(w.Rand, 1, 30))
		section := &imap.FetchItemBodySection{Peek: w.Chance(.5)}
		if _, err := c.Fetch(imap.SeqSetNum(uint32(i+1)), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect(); err != nil {
			return err
		}
	}
	if w.Chance(.4) {
		if err := c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
			return err
		}
		if err := c.Expunge().Close(); err != nil {
			return err
		}
	}
	return c.Logout().Wait()
}

// imapCheck looks for new mail and leaves, as phones do, several times.
func imapCheck(w *World) error {
	dial, password, err := w.serveIMAP()
	if err != nil {
		return err
	}
	for range w.Between(1, 3) {
		c, err := dial()
		if err != nil {
			return err
		}
		if err := c.Login(w.User.Login, password).Wait(); err != nil {
			return err
		}
		if w.Chance(.4) {
			if _, err := c.List("", "*", nil).Collect(); err != nil {
				return err
			}
		}
		if _, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, NumUnseen: true, UIDNext: true}).Wait(); err != nil {
			return err
		}
		if w.Chance(.5) {
			if _, err := c.Select("INBOX", nil).Wait(); err != nil {
				return err
			}
			if _, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, nil).Wait(); err != nil {
				return err
			}
		}
		if err := c.Logout().Wait(); err != nil {
			return err
		}
		c.Close()
		w.Sleep(300)
	}
	return nil
}

func imapIdle(w *World) error {
	c, err := w.imapLogin("INBOX")
	if err != nil {
		return err
	}
	defer c.Close()
	for range w.Between(1, 4) {
		idle, err := c.Idle()
		if err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, 5, 600))
		if err := idle.Close(); err != nil {
			return err
		}
		if err := idle.Wait(); err != nil {
			return err
		}
		if err := c.Noop().Wait(); err != nil {
			return err
		}
	}
	return c.Logout().Wait()
}

func imapAppend(w *World) error {
	c, err := w.imapLogin("")
	if err != nil {
		return err
	}
	defer c.Close()
	for range w.Between(1, 2) {
		m := w.mail(int(logUniform(w.Rand, 100, 9000)))
		a := c.Append("Sent", int64(len(m)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
		if _, err := a.Write(m); err != nil {
			return err
		}
		if err := a.Close(); err != nil {
			return err
		}
		if _, err := a.Wait(); err != nil {
			return err
		}
	}
	return c.Logout().Wait()
}

func imapDenied(w *World) error {
	dial, _, err := w.serveIMAP()
	if err != nil {
		return err
	}
	for range w.Between(1, 3) {
		c, err := dial()
		if err != nil {
			return err
		}
		for range w.Between(1, 2) {
			if c.Login(w.User.Login, token(w.Rand, 7)).Wait() == nil {
				return errors.New("a wrong password was accepted")
			}
			w.Sleep(2)
		}
		c.Logout().Wait()
		c.Close()
		w.Sleep(5)
	}
	return nil
}
