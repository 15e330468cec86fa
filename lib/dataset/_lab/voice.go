package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/pion/rtp"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

func init() {
	add("sip", "call", 22, sipCall)
	add("sip", "register", 16, sipRegister)
	add("sip", "busy", 10, sipBusy)
	add("sip", "options", 12, sipOptions)
	add("rtp", "audio", 12, func(w *World) error { return rtpOnly(w, false) })
	add("rtp", "tones", 8, func(w *World) error { return rtpOnly(w, true) })
}

// phone is a SIP user agent over UDP.
type phone struct {
	host   *Host
	ua     *sipgo.UserAgent
	server *sipgo.Server
	client *sipgo.Client
	addr   string
}

var phones = []string{"Linphone/5.2.6", "Yealink SIP-T46S 66.86.0.15", "Asterisk PBX 20.9.2", "MicroSIP/3.21.4", "Cisco-CP8841/12.8", "Zoiper v2.10.20"}

func (w *World) newPhone(h *Host, name string) (*phone, error) {
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(name), sipgo.WithUserAgentHostname(w.Domain))
	if err != nil {
		return nil, err
	}
	pc, err := h.ListenPacket(":5060")
	if err != nil {
		return nil, err
	}
	p := &phone{host: h, ua: ua, addr: pc.LocalAddr().String()}
	if p.server, err = sipgo.NewServer(ua, sipgo.WithServerLogger(quietLog)); err != nil {
		return nil, err
	}
	if p.client, err = sipgo.NewClient(ua, sipgo.WithClientLogger(quietLog), sipgo.WithClientHostname(h.Addr.String()), sipgo.WithClientPort(5060), sipgo.WithClientConnectionAddr(p.addr)); err != nil {
		return nil, err
	}
	go p.server.ServeUDP(pc)
	w.Defer(func() {
		ua.Close()
		pc.Close()
	})
	time.Sleep(time.Millisecond)
	return p, nil
}

// exchange is a pair of phones: the user's, and a registrar with many extensions.
func (w *World) exchangePair() (user, far *phone, err error) {
	w.SetName(pick(w.Rand, []string{"sip", "pbx", "voip"}))
	w.Label(protoUDP, 5060, "sip")
	sip.SetDefaultLogger(quietLog)
	if user, err = w.newPhone(w.Client, pick(w.Rand, phones)); err != nil {
		return nil, nil, err
	}
	far, err = w.newPhone(w.Server, pick(w.Rand, phones))
	return user, far, err
}

// uri is an extension at the far side.
func (w *World) uri(user string) sip.Uri {
	return sip.Uri{Scheme: "sip", User: user, Host: w.Server.Addr.String(), Port: 5060}
}

func (w *World) contact(p *phone, user string) *sip.ContactHeader {
	return &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: user, Host: p.host.Addr.String(), Port: 5060}}
}

func (w *World) sdp(h *Host, port int, codec int) []byte {
	kind := "IP4"
	if w.V6 {
		kind = "IP6"
	}
	names := map[int]string{0: "PCMU/8000", 8: "PCMA/8000", 18: "G729/8000"}
	return []byte(fmt.Sprintf("v=0\r\no=- %d 1 IN %s %s\r\ns=%s\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d 101\r\na=rtpmap:%d %s\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
		w.IntN(1<<30), kind, h.Addr, pick(w.Rand, []string{"-", "call", "Talk", "session"}), kind, h.Addr, port, codec, codec, names[codec]))
}

// sipCall rings, is answered, talks a little over RTP, and hangs up.
func sipCall(w *World) error {
	user, far, err := w.exchangePair()
	if err != nil {
		return err
	}
	codec := pick(w.Rand, []int{0, 8, 18})
	port, farPort := 2*w.Between(4000, 9999), 2*w.Between(10000, 16000)
	w.Label(protoUDP, uint16(farPort), "rtp")
	ext := fmt.Sprint(w.Between(100, 9999))
	dialogs := sipgo.NewDialogServerCache(far.client, *w.contact(far, ext))
	answered := make(chan struct{}, 1)
	far.server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		d, err := dialogs.ReadInvite(req, tx)
		if err != nil {
			return
		}
		d.Respond(100, "Trying", nil)
		w.Sleep(.1)
		d.Respond(180, "Ringing", nil)
		w.Sleep(logUniform(w.Rand, .5, 8))
		d.Respond(200, "OK", w.sdp(w.Server, farPort, codec), sip.NewHeader("Content-Type", "application/sdp"))
	})
	far.server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) {
		dialogs.ReadAck(req, tx)
		select {
		case answered <- struct{}{}:
		default:
		}
	})
	far.server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { dialogs.ReadBye(req, tx) })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	calls := sipgo.NewDialogClientCache(user.client, *w.contact(user, w.User.Login))
	call, err := calls.Invite(ctx, w.uri(ext), w.sdp(w.Client, port, codec), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return err
	}
	defer call.Close()
	if err := call.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		return err
	}
	if err := call.Ack(ctx); err != nil {
		return err
	}
	if err := w.talk(port, farPort, codec, w.Between(12, 60), w.Chance(.4)); err != nil {
		return err
	}
	return call.Bye(ctx)
}

func sipRegister(w *World) error {
	user, far, err := w.exchangePair()
	if err != nil {
		return err
	}
	realm, nonce := w.Domain, token(w.Rand, 24)
	far.server.OnRegister(func(req *sip.Request, tx sip.ServerTransaction) {
		w.Think()
		if req.GetHeader("Authorization") == nil {
			res := sip.NewResponseFromRequest(req, 401, "Unauthorized", nil)
			res.AppendHeader(sip.NewHeader("WWW-Authenticate", fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=MD5, qop="auth"`, realm, nonce)))
			tx.Respond(res)
			return
		}
		code, reason := 200, "OK"
		if w.Chance(.2) {
			code, reason = 403, "Forbidden"
		}
		tx.Respond(sip.NewResponseFromRequest(req, code, reason, nil))
	})
	password := token(w.Rand, 8)
	for range w.Between(1, 4) {
		req := sip.NewRequest(sip.REGISTER, w.uri(""))
		req.AppendHeader(w.contact(user, w.User.Login))
		req.AppendHeader(sip.NewHeader("Expires", fmt.Sprint(pick(w.Rand, []int{60, 120, 300, 3600}))))
		req.AppendHeader(sip.NewHeader("User-Agent", pick(w.Rand, phones)))
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		res, err := user.client.Do(ctx, req, sipgo.ClientRequestRegisterBuild)
		if err == nil && res.StatusCode == 401 {
			_, err = user.client.DoDigestAuth(ctx, req, res, sipgo.DigestAuth{Username: w.User.Login, Password: password})
		}
		cancel()
		if err != nil {
			return err
		}
		w.Sleep(pick(w.Rand, []float64{30, 60, 110}))
	}
	return nil
}

// sipBusy gets no call through: busy, unknown, or declined.
func sipBusy(w *World) error {
	user, far, err := w.exchangePair()
	if err != nil {
		return err
	}
	far.server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		tx.Respond(sip.NewResponseFromRequest(req, 100, "Trying", nil))
		w.Sleep(.5)
		switch w.IntN(3) {
		case 0:
			tx.Respond(sip.NewResponseFromRequest(req, 486, "Busy Here", nil))
		case 1:
			tx.Respond(sip.NewResponseFromRequest(req, 404, "Not Found", nil))
		default:
			tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil))
			w.Sleep(6)
			tx.Respond(sip.NewResponseFromRequest(req, 603, "Decline", nil))
		}
	})
	far.server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
	calls := sipgo.NewDialogClientCache(user.client, *w.contact(user, w.User.Login))
	for range w.Between(1, 3) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		call, err := calls.Invite(ctx, w.uri(fmt.Sprint(w.Between(100, 9999))), w.sdp(w.Client, 2*w.Between(4000, 9999), 0), sip.NewHeader("Content-Type", "application/sdp"))
		if err == nil {
			err = call.WaitAnswer(ctx, sipgo.AnswerOptions{})
			call.Close()
		}
		cancel()
		if err == nil {
			return fmt.Errorf("a busy extension answered")
		}
		w.Sleep(10)
	}
	return nil
}

// sipOptions keeps looking whether the other side is alive.
func sipOptions(w *World) error {
	user, far, err := w.exchangePair()
	if err != nil {
		return err
	}
	far.server.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		w.Think()
		res := sip.NewResponseFromRequest(req, 200, "OK", nil)
		res.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY"))
		tx.Respond(res)
	})
	for range w.Between(2, 8) {
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		_, err := user.client.Do(ctx, sip.NewRequest(sip.OPTIONS, w.uri("ping")))
		cancel()
		if err != nil {
			return err
		}
		w.Sleep(30)
	}
	return nil
}

// rtpOnly is a stream without its signalling, as a capture at a media server
// sees it.
func rtpOnly(w *World, tones bool) error {
	port, farPort := 2*w.Between(4000, 9999), 2*w.Between(10000, 16000)
	w.Label(protoUDP, uint16(farPort), "rtp")
	return w.talk(port, farPort, pick(w.Rand, []int{0, 8, 18}), w.Between(15, 120), tones)
}

// talk sends audio both ways for a number of packets of 20 ms.
func (w *World) talk(port, farPort, codec, packets int, tones bool) error {
	near, err := w.Client.ListenPacket(fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	defer near.Close()
	far, err := w.Server.ListenPacket(fmt.Sprintf(":%d", farPort))
	if err != nil {
		return err
	}
	defer far.Close()
	a := &net.UDPAddr{IP: w.Client.Addr.AsSlice(), Port: port}
	b := &net.UDPAddr{IP: w.Server.Addr.AsSlice(), Port: farPort}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Sleep(.02)
		w.speak(far, a, codec, packets, false)
	}()
	w.speak(near, b, codec, packets, tones)
	<-done
	return nil
}

// speak sends one side's audio, with pauses in which nothing is sent.
func (w *World) speak(pc *gonet.UDPConn, to net.Addr, codec, packets int, tones bool) {
	seq, stamp := rtp.NewFixedSequencer(uint16(w.IntN(1<<16))), uint32(w.Uint64())
	ssrc := uint32(w.Uint64())
	voice := newVoice(w, codec)
	talking := true
	mark := true
	for i := range packets {
		if i%25 == 24 && w.Chance(.5) {
			talking = !talking
			mark = talking
		}
		p := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: uint8(codec), SequenceNumber: seq.NextSequenceNumber(), Timestamp: stamp, SSRC: ssrc, Marker: mark}}
		switch {
		case tones && i/10%3 == 1: // a digit as an event (RFC 4733)
			p.PayloadType = 101
			n := i % 10
			event := []byte{byte(i / 30 % 12), 10, 0, 0}
			if n >= 7 {
				event[1] |= 0x80
			}
			binary.BigEndian.PutUint16(event[2:], uint16(160*(n+1)))
			p.Payload = event
		case talking:
			p.Payload = voice.next()
		}
		if p.Payload != nil {
			mark = false
			if raw, err := p.Marshal(); err == nil {
				pc.WriteTo(raw, to)
			}
		}
		stamp += 160
		time.Sleep(20*time.Millisecond + time.Duration(w.NormFloat64()*3e5))
	}
}

// voice makes frames of audio: a few harmonics of a pitch that is steady for a
// while, as the vowels of speech are.
type voice struct {
	w     *World
	codec int
	pitch float64
	amp   [3]float64
	n     int
}

func newVoice(w *World, codec int) *voice { return &voice{w: w, codec: codec} }

func (v *voice) next() []byte {
	if v.n%(160*25) == 0 {
		v.pitch = []float64{100, 125, 160, 200, 250}[v.w.IntN(5)] // whole periods of 8 kHz samples
		for i := range v.amp {
			v.amp[i] = 4000 * v.w.Float64() / float64(i+1)
		}
	}
	if v.codec == 18 {
		// G.729 frames are 10 bytes for 10 ms; the silence frame repeats.
		v.n += 160
		frame := []byte{0x78, 0x52, 0x80, 0xa0, 0x00, 0xfa, 0xd2, 0x00, byte(v.pitch), byte(v.n / 4000)}
		return append(append([]byte(nil), frame...), frame...)
	}
	out := make([]byte, 160)
	for i := range out {
		s := 0.0
		for k, a := range v.amp {
			s += a * math.Sin(2*math.Pi*v.pitch*float64(k+1)*float64(v.n)/8000)
		}
		out[i] = companded(int(s), v.codec == 8)
		v.n++
	}
	return out
}

// companded is a sample under G.711, µ-law or A-law.
func companded(s int, aLaw bool) byte {
	sign := byte(0)
	if s < 0 {
		s, sign = -s, 0x80
	}
	if aLaw {
		s = min(s, 32635) >> 4
		e := 0
		for s>>e > 31 {
			e++
		}
		b := byte(s >> 1)
		if e > 0 {
			b = byte((e)<<4) | byte(s>>e&15)
		}
		return (b | 0x80 ^ sign) ^ 0x55
	}
	s = min(s, 32635) + 132
	e := 7
	for e > 0 && s>>(e+7) == 0 {
		e--
	}
	return ^(sign | byte(e<<4) | byte(s>>(e+3)&15))
}
