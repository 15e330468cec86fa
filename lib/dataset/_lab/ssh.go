package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

func init() {
	add("ssh", "exec", 9, sshExec)
	add("ssh", "shell", 6, sshShell)
	add("ssh", "copy", 4, sshCopy)
	add("ssh", "denied", 8, sshDenied)
	add("ssh", "banner", 12, sshBanner)
	add("ssh", "idle", 4, sshIdle)
}

var sshServers = []string{"SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.5", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "SSH-2.0-OpenSSH_8.7", "SSH-2.0-dropbear_2022.83", "SSH-2.0-Go"}
var sshClients = []string{"SSH-2.0-OpenSSH_9.7", "SSH-2.0-OpenSSH_for_Windows_9.5", "SSH-2.0-PuTTY_Release_0.81", "SSH-2.0-libssh_0.10.6", "SSH-2.0-paramiko_3.4.0", "SSH-2.0-Go"}

// serveSSH starts an SSH server with a shell that echoes and returns how to
// reach it. Passwords other than the right one are refused.
func (w *World) serveSSH() (port uint16, client *ssh.ClientConfig, err error) {
	var signer ssh.Signer
	if w.Chance(.7) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return 0, nil, err
		}
		signer, err = ssh.NewSignerFromKey(key)
		if err != nil {
			return 0, nil, err
		}
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return 0, nil, err
		}
		if signer, err = ssh.NewSignerFromKey(key); err != nil {
			return 0, nil, err
		}
	}
	password := token(w.Rand, w.Between(6, 14))
	server := &ssh.ServerConfig{ServerVersion: pick(w.Rand, sshServers), MaxAuthTries: 6,
		PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			w.Think()
			if string(p) != password {
				time.Sleep(time.Duration(w.Between(500, 2500)) * time.Millisecond)
				return nil, fmt.Errorf("wrong password")
			}
			return nil, nil
		}}
	server.AddHostKey(signer)
	client = &ssh.ClientConfig{User: w.User.Login, ClientVersion: pick(w.Rand, sshClients),
		Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	if w.Chance(.8) {
		client.KeyExchanges = pick(w.Rand, [][]string{{"curve25519-sha256"}, {"ecdh-sha2-nistp256"}, {"curve25519-sha256", "ecdh-sha2-nistp384"}})
	}
	// The GCM ciphers are left out: some dissectors take their packets for
	// malformed plaintext.
	client.Ciphers = pick(w.Rand, [][]string{{"chacha20-poly1305@openssh.com", "aes256-ctr"}, {"aes256-ctr", "aes192-ctr", "aes128-ctr"}, {"aes128-ctr"}})
	port = pick(w.Rand, []uint16{22, 22, 22, 22, 22, 2222})
	l, err := w.Serve(port, "ssh")
	if err != nil {
		return 0, nil, err
	}
	go w.accept(l, func(c conn) { w.sshSession(c, server) })
	return port, client, nil
}

func (w *World) sshSession(c conn, cfg *ssh.ServerConfig) {
	c.SetDeadline(time.Now().Add(20 * time.Minute))
	sc, channels, requests, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		return
	}
	defer sc.Close()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		if ch.ChannelType() != "session" {
			ch.Reject(ssh.UnknownChannelType, "no")
			continue
		}
		channel, reqs, err := ch.Accept()
		if err != nil {
			return
		}
		go w.sshChannel(channel, reqs)
	}
}

func (w *World) sshChannel(channel ssh.Channel, reqs <-chan *ssh.Request) {
	for r := range reqs {
		switch r.Type {
		case "exec":
			r.Reply(true, nil)
			var cmd struct{ Line string }
			ssh.Unmarshal(r.Payload, &cmd)
			go func() {
				w.Think()
				if strings.HasPrefix(cmd.Line, "cat >") {
					io.Copy(io.Discard, channel)
				} else {
					io.WriteString(channel, text(w.Rand, int(logUniform(w.Rand, 20, 900)), "\n"))
				}
				status := uint32(0)
				if w.Chance(.1) {
					status = 1
					io.WriteString(channel.Stderr(), cmd.Line+": command not found\n")
				}
				channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{status}))
				channel.Close()
			}()
		case "shell":
			r.Reply(true, nil)
			go w.echo(channel)
		default:
			r.Reply(true, nil)
		}
	}
}

// echo is a shell of little wit: it echoes keys and answers lines with prose.
func (w *World) echo(channel ssh.Channel) {
	prompt := w.User.Login + "@" + strings.SplitN(w.Name, ".", 2)[0] + ":~$ "
	io.WriteString(channel, prompt)
	key := make([]byte, 64)
	for {
		n, err := channel.Read(key)
		if err != nil {
			break
		}
		channel.Write(key[:n])
		if key[n-1] == '\r' {
			w.Think()
			io.WriteString(channel, "\n"+text(w.Rand, int(logUniform(w.Rand, 10, 400)), "\r\n")+prompt)
		}
		if key[n-1] == 4 {
			break
		}
	}
	channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{0}))
	channel.Close()
}

func (w *World) sshDial(port uint16, cfg *ssh.ClientConfig) (*ssh.Client, error) {
	raw, err := w.Client.Dial("tcp", w.Addr(port))
	if err != nil {
		return nil, err
	}
	c, chans, reqs, err := ssh.NewClientConn(raw, w.Name, cfg)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return ssh.NewClient(c, chans, reqs), nil
}

var commands = []string{"uptime", "df -h", "ls -la", "cat /etc/os-release", "systemctl status nginx", "tail -n 50 /var/log/syslog", "ps aux", "git pull", "docker ps", "free -m", "whoami", "uname -a", "make test"}

func sshExec(w *World) error {
	port, cfg, err := w.serveSSH()
	if err != nil {
		return err
	}
	for range w.Between(1, 2) {
		c, err := w.sshDial(port, cfg)
		if err != nil {
			return err
		}
		for range w.Between(1, 2) {
			s, err := c.NewSession()
			if err != nil {
				return err
			}
			s.Output(pick(w.Rand, commands))
			s.Close()
		}
		c.Close()
		w.Sleep(10)
	}
	return nil
}

// sshShell types commands a key at a time.
func sshShell(w *World) error {
	port, cfg, err := w.serveSSH()
	if err != nil {
		return err
	}
	c, err := w.sshDial(port, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	in, err := s.StdinPipe()
	if err != nil {
		return err
	}
	s.Stdout = io.Discard
	if err := s.RequestPty("xterm-256color", w.Between(24, 60), w.Between(80, 200), ssh.TerminalModes{}); err != nil {
		return err
	}
	if err := s.Shell(); err != nil {
		return err
	}
	w.Sleep(logUniform(w.Rand, .4, 20))
	for _, key := range []byte(pick(w.Rand, commands) + "\r") {
		in.Write([]byte{key})
		w.Sleep(.14)
	}
	w.Sleep(2)
	in.Write([]byte{4})
	s.Wait()
	return nil
}

func sshCopy(w *World) error {
	port, cfg, err := w.serveSSH()
	if err != nil {
		return err
	}
	c, err := w.sshDial(port, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	s.Stdin = strings.NewReader(text(w.Rand, int(logUniform(w.Rand, 600, 9000)), "\n"))
	s.Run("cat > /tmp/" + token(w.Rand, 6))
	return nil
}

// sshDenied guesses passwords.
func sshDenied(w *World) error {
	port, cfg, err := w.serveSSH()
	if err != nil {
		return err
	}
	for range w.Between(1, 2) {
		tries := 0
		cfg.User = pick(w.Rand, []string{"root", "admin", "ubuntu", "test", w.User.Login})
		cfg.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			tries++
			return token(w.Rand, 8), nil
		}), w.Between(1, 3))}
		if c, err := w.sshDial(port, cfg); err == nil {
			c.Close()
			return fmt.Errorf("a wrong password was accepted")
		}
		w.Sleep(5)
	}
	return nil
}

// sshBanner reads the greeting and leaves, as scanners do.
func sshBanner(w *World) error {
	port, cfg, err := w.serveSSH()
	if err != nil {
		return err
	}
	for range w.Between(1, 2) {
		c, err := w.Client.Dial("tcp", w.Addr(port))
		if err != nil {
			return err
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if w.Chance(.5) {
			fmt.Fprintf(c, "%s\r\n", cfg.ClientVersion)
		}
		if _, err := c.Read(make([]byte, 256)); err != nil {
			return err
		}
		w.Sleep(1)
		c.Close()
		w.Sleep(10)
	}
	return nil
}

// sshIdle keeps a session alive and does little in it.
func sshIdle(w *World) error {
	port, cfg, err := w.serveSSH()
	if err != nil {
		return err
	}
	c, err := w.sshDial(port, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	for range w.Between(3, 8) {
		time.Sleep(60 * time.Second)
		if _, _, err := c.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			return err
		}
	}
	return nil
}
