package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/waiter"
)

// The small protocols: NTP, ICMP and ARP.

func init() {
	add("ntp", "query", 40, ntpQuery)
	add("ntp", "daemon", 20, ntpDaemon)
	add("ntp", "refused", 6, ntpRefused)
	add("icmp", "ping", 40, icmpPing)
	add("icmp", "unreachable", 8, icmpUnreachable)
	add("arp", "resolve", 30, arpResolve)
}

// serveNTP answers as a server of stratum 1 to 3 does (RFC 5905). With kiss
// set it sends its clients away.
func (w *World) serveNTP(kiss bool) error {
	w.SetName(pick(w.Rand, []string{"ntp", "time", "0.pool", "2.pool", "ntp1"}))
	w.Label(protoUDP, 123, "ntp")
	pc, err := w.Server.ListenPacket(":123")
	if err != nil {
		return err
	}
	w.Defer(func() { pc.Close() })
	stratum := byte(w.Between(1, 3))
	id := []byte(pick(w.Rand, []string{"GPS\x00", "PTB\x00", "DCFa", "PPS\x00"}))
	if stratum > 1 {
		id = []byte{100, byte(w.Between(64, 127)), byte(w.IntN(256)), byte(w.Between(1, 254))}
	}
	precision := byte(256 - w.Between(18, 25))
	offset := time.Duration(w.NormFloat64() * 3e6)
	rootDelay, rootDispersion := uint32(w.IntN(3000)), uint32(w.IntN(2000))
	updated := time.Now().Add(-time.Duration(w.IntN(1000)) * time.Second)
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < 48 || buf[0]&7 != 3 {
				continue
			}
			received := time.Now()
			time.Sleep(time.Duration(w.Between(10, 200)) * time.Microsecond)
			out := make([]byte, 48)
			out[0] = buf[0]&0x38 | 4
			out[1], out[2], out[3] = stratum, buf[2], precision
			if kiss {
				out[0] |= 0xc0
				out[1] = 0
				copy(out[12:], "RATE")
			} else {
				binary.BigEndian.PutUint32(out[4:], rootDelay)
				binary.BigEndian.PutUint32(out[8:], rootDispersion)
				copy(out[12:16], id)
				binary.BigEndian.PutUint64(out[16:], ntpTime(updated))
			}
			copy(out[24:32], buf[40:48])
			binary.BigEndian.PutUint64(out[32:], ntpTime(received.Add(offset)))
			binary.BigEndian.PutUint64(out[40:], ntpTime(time.Now().Add(offset)))
			pc.WriteTo(out, from)
		}
	}()
	return nil
}

// ntpTime counts seconds since 1900 in 32.32 fixed point.
func ntpTime(t time.Time) uint64 {
	const unixEpoch = 2208988800
	return uint64(t.Unix()+unixEpoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

func (w *World) ntpAsk(version int, dial func() (net.Conn, error)) error {
	_, err := ntp.QueryWithOptions(w.Name, ntp.QueryOptions{Version: version, Timeout: 5 * time.Second,
		Dialer: func(_, _ string) (net.Conn, error) { return dial() }})
	return err
}

// ntpQuery asks once or a few times, as sntp and ntpdate do.
func ntpQuery(w *World) error {
	if err := w.serveNTP(false); err != nil {
		return err
	}
	version := pick(w.Rand, []int{3, 4, 4, 4})
	for range w.Between(1, 3) {
		err := w.ntpAsk(version, func() (net.Conn, error) { return w.Client.Dial("udp", w.Addr(123)) })
		if err != nil && w.Link.Path.Loss == 0 {
			return err
		}
		w.Sleep(pick(w.Rand, []float64{2, 16, 64}))
	}
	return nil
}

// kept is a connection that survives Close, for a socket used many times.
type kept struct{ net.Conn }

func (kept) Close() error { return nil }

// ntpDaemon polls from one socket for a long time, in bursts at first.
func ntpDaemon(w *World) error {
	if err := w.serveNTP(false); err != nil {
		return err
	}
	c, err := w.Client.Dial("udp", w.Addr(123))
	if err != nil {
		return err
	}
	defer c.Close()
	burst := w.IntN(5)
	poll := pick(w.Rand, []float64{16, 32, 64, 64, 128, 256})
	for i := range w.Between(2, 10) {
		w.ntpAsk(4, func() (net.Conn, error) { return kept{c}, nil })
		if i < burst {
			time.Sleep(2 * time.Second)
		} else {
			time.Sleep(time.Duration(poll * (0.95 + 0.1*w.Float64()) * 1e9))
		}
	}
	return nil
}

// ntpRefused is told to ask less often, or hears nothing.
func ntpRefused(w *World) error {
	if w.Chance(.6) {
		if err := w.serveNTP(true); err != nil {
			return err
		}
	}
	w.Label(protoUDP, 123, "ntp")
	for range w.Between(1, 3) {
		w.ntpAsk(4, func() (net.Conn, error) { return w.Client.Dial("udp", w.Addr(123)) })
		w.Sleep(4)
	}
	return nil
}

// ping sends echo requests with a payload as common tools send it.
func (w *World) ping(count, size int, interval time.Duration) error {
	proto, trans := ipv4.ProtocolNumber, header.ICMPv4ProtocolNumber
	if w.V6 {
		proto, trans = ipv6.ProtocolNumber, header.ICMPv6ProtocolNumber
	}
	var wq waiter.Queue
	ep, terr := w.Client.stack.NewEndpoint(trans, proto, &wq)
	if terr != nil {
		return fmt.Errorf("failed to open an ICMP socket: %v", terr)
	}
	defer ep.Close()
	if err := ep.Bind(tcpip.FullAddress{NIC: nicID, Addr: address(w.Client.Addr), Port: uint16(w.Between(1, 65535))}); err != nil {
		return fmt.Errorf("failed to open an ICMP socket: %v", err)
	}
	if err := ep.Connect(tcpip.FullAddress{NIC: nicID, Addr: address(w.Server.Addr)}); err != nil {
		return fmt.Errorf("failed to open an ICMP socket: %v", err)
	}
	windows := w.Chance(.3)
	for seq := range count {
		m := make([]byte, 8, 8+size)
		m[0] = byte(header.ICMPv4Echo)
		if w.V6 {
			m[0] = byte(header.ICMPv6EchoRequest)
		}
		binary.BigEndian.PutUint16(m[6:], uint16(seq+1))
		for i := range size {
			if windows {
				m = append(m, byte('a'+i%23))
			} else {
				m = append(m, byte(i))
			}
		}
		if !windows && size >= 16 {
			binary.LittleEndian.PutUint64(m[8:], uint64(time.Now().Unix()))
			binary.LittleEndian.PutUint64(m[16:], uint64(time.Now().Nanosecond()/1000))
		}
		if _, err := ep.Write(bytes.NewReader(m), tcpip.WriteOptions{}); err != nil {
			return fmt.Errorf("failed to send an echo request: %v", err)
		}
		time.Sleep(interval)
	}
	return nil
}

func (w *World) labelICMP() {
	w.Label(protoICMP, 0, "icmp")
	w.Label(protoICMPv6, 0, "icmp")
}

func icmpPing(w *World) error {
	w.labelICMP()
	return w.ping(w.Between(1, 12), pick(w.Rand, []int{32, 56, 56, 56, 64, 120, 1200}), time.Duration(logUniform(w.Rand, .2, 2)*1e9))
}

// icmpUnreachable knocks at closed UDP ports, as traceroute's last hop and
// port scanners do; the knocks themselves are not in the corpus.
func icmpUnreachable(w *World) error {
	w.labelICMP()
	for range w.Between(1, 4) {
		c, err := w.Client.Dial("udp", w.Addr(uint16(w.Between(33434, 33534))))
		if err != nil {
			return err
		}
		c.Write(make([]byte, w.Between(0, 40)))
		w.Sleep(1)
		c.Close()
	}
	return w.ping(1, 56, time.Second) // so that a lossy path leaves a flow too
}

// arpResolve keeps what the other scenarios drop: the question for the
// neighbour's hardware address, and its repetition when the entry went stale.
func arpResolve(w *World) error {
	if w.V6 {
		w.labelICMP()
	} else {
		w.labels[service{}] = "arp"
	}
	for range w.Between(1, 3) {
		if err := w.ping(1, 56, 2*time.Second); err != nil {
			return err
		}
		w.Sleep(60)
	}
	return nil
}
