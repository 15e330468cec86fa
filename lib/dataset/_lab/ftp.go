package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"
)

func init() {
	add("ftp", "list", 14, ftpList)
	add("ftp", "get", 16, ftpGet)
	add("ftp", "put", 12, ftpPut)
	add("ftp", "denied", 12, ftpDenied)
	add("ftp", "active", 8, ftpActive)
}

// ftpServer speaks RFC 959 with EPSV (RFC 2428) and MLSD (RFC 3659) over the
// lab's stack; the servers there are insist on the operating system's sockets
// for their data connections.
type ftpServer struct {
	w        *World
	password string
	greeting string
	files    map[string][]byte
	names    []string
}

func (w *World) serveFTP() (*ftpServer, error) {
	w.SetName(pick(w.Rand, []string{"ftp", "files", "mirror"}))
	s := &ftpServer{w: w, files: map[string][]byte{},
		greeting: pick(w.Rand, []string{"(vsFTPd 3.0.5)", "ProFTPD Server (" + w.Domain + ") ready.", "Microsoft FTP Service", "FileZilla Server 1.9.4", "Pure-FTPd"})}
	for range w.Between(2, 12) {
		name := pick(w.Rand, parts) + pick(w.Rand, []string{".txt", ".csv", ".log", "-" + token(w.Rand, 4) + ".dat"})
		if _, ok := s.files[name]; !ok {
			s.names = append(s.names, name)
		}
		s.files[name] = []byte(text(w.Rand, int(logUniform(w.Rand, 100, 20000)), "\n"))
	}
	l, err := w.Serve(21, "ftp")
	if err != nil {
		return nil, err
	}
	go w.accept(l, s.session)
	return s, nil
}

// session answers one control connection.
func (s *ftpServer) session(c conn) {
	c.SetDeadline(time.Now().Add(30 * time.Minute))
	say := func(format string, args ...any) { s.w.Think(); fmt.Fprintf(c, format+"\r\n", args...) }
	say("220 %s", s.greeting)
	var passive net.Listener
	var active string
	var offset int
	rename := ""
	data := func() (conn, error) {
		if passive != nil {
			defer passive.Close()
			d, err := passive.Accept()
			passive = nil
			return d, err
		}
		return s.w.Server.Dial("tcp", active)
	}
	send := func(content []byte) {
		say("150 Opening data connection")
		d, err := data()
		if err != nil {
			say("425 Can't open data connection.")
			return
		}
		d.Write(content)
		d.Close()
		say("226 Transfer complete.")
	}
	in := bufio.NewScanner(c)
	for in.Scan() {
		verb, arg, _ := strings.Cut(in.Text(), " ")
		switch strings.ToUpper(verb) {
		case "USER":
			say("331 Please specify the password.")
		case "PASS":
			if s.password != "" && arg != s.password {
				time.Sleep(time.Second)
				say("530 Login incorrect.")
				continue
			}
			say("230 Login successful.")
		case "FEAT":
			fmt.Fprintf(c, "211-Features:\r\n EPSV\r\n MDTM\r\n MLST type*;size*;modify*;\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n")
		case "OPTS", "NOOP", "CWD", "MKD", "RMD", "TYPE":
			say("200 %s command successful.", verb)
		case "PWD":
			say("257 \"/\" is the current directory")
		case "SYST":
			say("215 UNIX Type: L8")
		case "SIZE":
			if f, ok := s.files[arg]; ok {
				say("213 %d", len(f))
			} else {
				say("550 Could not get file size.")
			}
		case "EPSV", "PASV":
			passive, _ = s.listen(verb, say)
		case "PORT", "EPRT":
			active = ftpAddress(arg)
			say("200 %s command successful. Consider using PASV.", verb)
		case "REST":
			offset, _ = strconv.Atoi(arg)
			say("350 Restart position accepted (%d).", offset)
		case "LIST":
			send(s.list(false))
		case "MLSD":
			send(s.list(true))
		case "NLST":
			send([]byte(strings.Join(s.names, "\r\n") + "\r\n"))
		case "RETR":
			f, ok := s.files[arg]
			if !ok {
				say("550 Failed to open file.")
				continue
			}
			send(f[min(offset, len(f)):])
			offset = 0
		case "STOR", "APPE":
			say("150 Ok to send data.")
			d, err := data()
			if err != nil {
				say("425 Can't open data connection.")
				continue
			}
			s.files[arg], _ = io.ReadAll(d)
			d.Close()
			say("226 Transfer complete.")
		case "DELE":
			say("250 Delete operation successful.")
		case "RNFR":
			rename = arg
			say("350 Ready for RNTO.")
		case "RNTO":
			s.files[arg] = s.files[rename]
			say("250 Rename successful.")
		case "QUIT":
			say("221 Goodbye.")
			return
		default:
			say("502 Command not implemented.")
		}
	}
}

// listen opens a port for a data connection and tells the client.
func (s *ftpServer) listen(verb string, say func(string, ...any)) (net.Listener, error) {
	port := uint16(s.w.Between(40000, 59999))
	l, err := s.w.Serve(port, "ftp-data")
	if err != nil {
		say("425 Can't open passive connection")
		return nil, err
	}
	if verb == "EPSV" {
		say("229 Entering Extended Passive Mode (|||%d|)", port)
	} else {
		say("227 Entering Passive Mode (%s,%d,%d).", strings.ReplaceAll(s.w.Server.Addr.String(), ".", ","), port>>8, port&255)
	}
	return l, nil
}

func (s *ftpServer) list(facts bool) []byte {
	var b strings.Builder
	for i, name := range s.names {
		when := time.Date(2026, 1, 1+i%28, i%24, (i*7)%60, 0, 0, time.UTC)
		if facts {
			fmt.Fprintf(&b, "type=file;size=%d;modify=%s; %s\r\n", len(s.files[name]), when.Format("20060102150405"), name)
		} else {
			fmt.Fprintf(&b, "-rw-r--r--    1 ftp      ftp      %8d %s %s\r\n", len(s.files[name]), when.Format("Jan 02 15:04"), name)
		}
	}
	return []byte(b.String())
}

// ftpAddress reads the argument of PORT (h1,h2,h3,h4,p1,p2) or EPRT (|1|addr|port|).
func ftpAddress(arg string) string {
	if f := strings.Split(arg, "|"); len(f) == 5 {
		return net.JoinHostPort(f[2], f[3])
	}
	f := strings.Split(arg, ",")
	if len(f) != 6 {
		return ""
	}
	hi, _ := strconv.Atoi(f[4])
	lo, _ := strconv.Atoi(f[5])
	return net.JoinHostPort(strings.Join(f[:4], "."), strconv.Itoa(hi<<8|lo))
}

func (s *ftpServer) dial() (*ftp.ServerConn, error) {
	w := s.w
	// The passive ports are known only by number: the client connects to the
	// address of the control connection, whatever the server says.
	opts := []ftp.DialOption{ftp.DialWithDialFunc(w.Client.Dial), ftp.DialWithDisabledEPSV(w.Chance(.4) && !w.V6), ftp.DialWithDisabledMLSD(w.Chance(.6))}
	c, err := ftp.Dial(w.Addr(21), opts...)
	if err != nil {
		return nil, err
	}
	user, password := "anonymous", "anonymous@"
	if s.password != "" {
		user, password = w.User.Login, s.password
	}
	if err := c.Login(user, password); err != nil {
		c.Quit()
		return nil, err
	}
	return c, nil
}

func ftpList(w *World) error {
	s, err := w.serveFTP()
	if err != nil {
		return err
	}
	c, err := s.dial()
	if err != nil {
		return err
	}
	c.CurrentDir()
	for range w.Between(1, 2) {
		if w.Chance(.3) {
			c.ChangeDir("/" + pick(w.Rand, parts))
		}
		if _, err := c.List(""); err != nil {
			return err
		}
		w.Sleep(4)
	}
	return c.Quit()
}

func ftpGet(w *World) error {
	s, err := w.serveFTP()
	if err != nil {
		return err
	}
	if w.Chance(.5) {
		s.password = token(w.Rand, 8)
	}
	c, err := s.dial()
	if err != nil {
		return err
	}
	for range w.Between(1, 3) {
		name := pick(w.Rand, s.names)
		if w.Chance(.15) {
			name = "missing-" + name
		}
		c.FileSize(name)
		r, err := c.RetrFrom(name, uint64(w.IntN(2)*w.IntN(100)))
		if err != nil {
			continue
		}
		io.Copy(io.Discard, r)
		r.Close()
		w.Sleep(logUniform(w.Rand, .1, 5))
	}
	return c.Quit()
}

func ftpPut(w *World) error {
	s, err := w.serveFTP()
	if err != nil {
		return err
	}
	s.password = token(w.Rand, 8)
	c, err := s.dial()
	if err != nil {
		return err
	}
	if w.Chance(.3) {
		c.MakeDir("in")
	}
	for range w.Between(1, 2) {
		name := pick(w.Rand, parts) + ".part"
		if err := c.Stor(name, strings.NewReader(text(w.Rand, int(logUniform(w.Rand, 200, 15000)), "\n"))); err != nil {
			return err
		}
		if w.Chance(.5) {
			c.Rename(name, strings.TrimSuffix(name, ".part")+".csv")
		}
	}
	return c.Quit()
}

func ftpDenied(w *World) error {
	s, err := w.serveFTP()
	if err != nil {
		return err
	}
	for range w.Between(1, 3) {
		s.password = token(w.Rand, 8)
		c, err := ftp.Dial(w.Addr(21), ftp.DialWithDialFunc(w.Client.Dial))
		if err != nil {
			return err
		}
		for range w.Between(1, 2) {
			c.Login(pick(w.Rand, []string{"root", "admin", "ftp", w.User.Login}), token(w.Rand, 6))
		}
		c.Quit()
		w.Sleep(3)
	}
	return nil
}

// ftpActive lets the server connect back, by a client of few words.
func ftpActive(w *World) error {
	s, err := w.serveFTP()
	if err != nil {
		return err
	}
	c, err := w.Client.Dial("tcp", w.Addr(21))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Minute))
	in := bufio.NewReader(c)
	ask := func(format string, args ...any) error {
		if format != "" {
			fmt.Fprintf(c, format+"\r\n", args...)
		}
		_, err := in.ReadString('\n')
		return err
	}
	for _, line := range []string{"", "USER anonymous", "PASS guest@" + w.Domain, "SYST", "TYPE I"} {
		var err error
		if line == "" {
			err = ask("")
		} else {
			err = ask("%s", line)
		}
		if err != nil {
			return err
		}
		w.Sleep(.3)
	}
	for range w.Between(1, 2) {
		port := uint16(w.Between(50000, 60000))
		w.Label(protoTCP, port, "ftp-data")
		l, err := w.Client.Listen(netip.AddrPortFrom(w.Client.Addr, port).String())
		if err != nil {
			return err
		}
		got := make(chan struct{})
		go func() {
			defer close(got)
			if d, err := l.Accept(); err == nil {
				io.Copy(io.Discard, d)
				d.Close()
			}
		}()
		if w.V6 {
			err = ask("EPRT |2|%s|%d|", w.Client.Addr, port)
		} else {
			err = ask("PORT %s,%d,%d", strings.ReplaceAll(w.Client.Addr.String(), ".", ","), port>>8, port&255)
		}
		if err == nil {
			err = ask("RETR %s", pick(w.Rand, s.names))
		}
		if err == nil {
			err = ask("") // 226
		}
		l.Close()
		if err != nil {
			return err
		}
		<-got
	}
	return ask("QUIT")
}
