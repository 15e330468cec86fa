package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"trafficgpt/tokenizer/pcap"
)

// World is one scenario instance: a client and a server of its own, with
// their own systems, addresses and names, on a path of their own.
type World struct {
	*rand.Rand
	Client, Server *Host
	Link           *Link
	Name           string // the server's host name
	Domain         string // the domain it is in
	User           Person // who sits at the client
	Group          string
	V6             bool

	labels  map[service]string
	cleanup []func()
	seed    uint64
}

// service is a server's port: what a flow is labelled by.
type service struct {
	protocol uint8
	port     uint16
}

// paths are the kinds of network between client and server.
var paths = []struct {
	weight      int
	delay       [2]float64 // ms one way, drawn log-uniformly
	jitter      float64    // share of the delay
	up, down    []float64  // Mbit/s
	loss        float64    // mean, when the path loses at all
	lossy       float64    // share of paths that lose
	hops        [2]int
	serverLocal bool
}{
	{18, [2]float64{0.08, 0.9}, .3, []float64{100, 1000}, []float64{100, 1000}, .004, .1, [2]int{0, 0}, true},
	{22, [2]float64{2, 8}, .1, []float64{10, 40, 100}, []float64{50, 100, 250, 1000}, .006, .3, [2]int{4, 9}, false},
	{26, [2]float64{8, 35}, .06, []float64{10, 20, 40}, []float64{50, 100, 250}, .01, .4, [2]int{7, 14}, false},
	{14, [2]float64{40, 110}, .04, []float64{10, 20, 40}, []float64{16, 50, 100}, .015, .5, [2]int{12, 22}, false},
	{15, [2]float64{15, 60}, .35, []float64{5, 10, 20}, []float64{10, 30, 60}, .02, .6, [2]int{8, 15}, false},
	{5, [2]float64{130, 300}, .05, []float64{2, 5}, []float64{10, 25}, .03, .8, [2]int{9, 16}, false},
}

var mtus = []uint32{1500, 1500, 1500, 1500, 1500, 1492, 1480, 1420, 1400, 1280}

// newWorld draws a world. Everything in it follows from seed and group.
func newWorld(seed uint64, group string) (*World, error) {
	src := newSource(seed, group)
	rng := rand.New(src)
	setTestingReader(newSource(rng.Uint64(), group))
	w := &World{Rand: rng, Group: group, labels: map[service]string{}, seed: seed}

	total := 0
	for _, p := range paths {
		total += p.weight
	}
	k, kind := rng.IntN(total), 0
	for k >= paths[kind].weight {
		k -= paths[kind].weight
		kind++
	}
	p := paths[kind]
	delay := logUniform(rng, p.delay[0], p.delay[1])
	path := Path{
		Delay:  time.Duration(delay * 1e6),
		Jitter: time.Duration(delay * p.jitter * (0.5 + rng.Float64()) * 1e6),
		Up:     pick(rng, p.up) * 1e6,
		Down:   pick(rng, p.down) * 1e6,
		Queue:  64<<10 + rng.IntN(192<<10),
		MTU:    pick(rng, mtus),
	}
	if rng.Float64() < p.lossy {
		path.Loss = p.loss * (0.3 + rng.ExpFloat64())
	}
	if rng.Float64() < 0.2 {
		path.Reorder = 0.002 + 0.03*rng.Float64()
	}
	// The SIP library does not write IPv6 addresses as URIs have them.
	w.V6 = rng.Float64() < 0.15 && !strings.HasPrefix(group, "sip/")
	w.Link = newLink(path, rand.New(newSource(rng.Uint64(), "link")))
	w.Link.AtServer = rng.Float64() < 0.2
	w.Link.Pad = rng.Float64() < 0.5
	for _, c := range w.Link.ends {
		c.Gather = time.Duration(pick(rng, []int{1, 10, 30, 50, 125, 250})) * time.Microsecond
	}

	client, server := pick(rng, systems[:5]), pick(rng, systems[:5])
	if rng.Float64() < 0.05 {
		client = systems[5]
	}
	hops := uint8(p.hops[0] + rng.IntN(p.hops[1]-p.hops[0]+1))
	if w.Link.AtServer {
		client.TTL -= hops
	} else {
		server.TTL -= hops
	}
	a := drawAddresses(rng, w.V6, p.serverLocal)
	var err error
	if w.Client, err = newHost(w.Link.ends[0], drawMAC(rng), client, newSource(rng.Uint64(), "client"), a.client, a.gateway); err != nil {
		return nil, err
	}
	if w.Server, err = newHost(w.Link.ends[1], drawMAC(rng), server, newSource(rng.Uint64(), "server"), a.server, netip.Addr{}); err != nil {
		return nil, err
	}
	w.Domain = drawDomain(rng)
	w.User = drawPerson(rng)
	names := map[string]netip.Addr{}
	w.Client.names, w.Server.names = names, names
	w.SetName("www")
	return w, nil
}

// SetName gives the server the name host.domain.
func (w *World) SetName(host string) {
	w.Name = host + "." + w.Domain
	w.Client.names[w.Name] = w.Server.Addr
}

// Label says what flows with the server's port are.
func (w *World) Label(protocol uint8, port uint16, label string) {
	w.labels[service{protocol, port}] = label
}

// Defer registers f to run when the world ends, last first.
func (w *World) Defer(f func()) { w.cleanup = append(w.cleanup, f) }

// Serve opens a TCP port of the server, labelled, closed when the world ends.
func (w *World) Serve(port uint16, label string) (net.Listener, error) {
	w.Label(protoTCP, port, label)
	l, err := w.Server.Listen(fmt.Sprintf(":%d", port))
	if err == nil {
		w.Defer(func() { l.Close() })
	}
	return l, err
}

// Addr is the server's name with a port, as a client writes it.
func (w *World) Addr(port uint16) string { return net.JoinHostPort(w.Name, fmt.Sprint(port)) }

// Sleep lets the given number of seconds pass, give or take a half.
func (w *World) Sleep(seconds float64) {
	time.Sleep(time.Duration(seconds * (0.5 + w.Float64()) * 1e9))
}

// Think is the time a server needs for an answer: some milliseconds, at times many.
func (w *World) Think() {
	time.Sleep(time.Duration(logUniform(w.Rand, 0.2, 30) * 1e6))
}

// Chance is true with probability p.
func (w *World) Chance(p float64) bool { return w.Float64() < p }

// Between draws an integer in [lo, hi].
func (w *World) Between(lo, hi int) int { return lo + w.IntN(hi-lo+1) }

// end closes what is open, waits for the last packets, and returns the flows.
func (w *World) end() []*pcap.Flow {
	for i := len(w.cleanup) - 1; i >= 0; i-- {
		w.cleanup[i]()
	}
	time.Sleep(4 * time.Second)
	w.Link.close()
	frames := w.Link.take()
	w.Client.close()
	w.Server.close()
	return w.flows(frames)
}

type addresses struct {
	client, server []netip.Prefix
	gateway        netip.Addr
}

// drawAddresses picks a client in a private network and a server. All
// addresses are from ranges that belong to nobody: private networks, the
// shared range of carriers, and those for documentation and benchmarks.
func drawAddresses(rng *rand.Rand, v6, local bool) addresses {
	if v6 {
		lan := [16]byte{0xfd, byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256)), 0, byte(rng.IntN(4))}
		c, g, s := lan, lan, lan
		for i := 8; i < 16; i++ {
			c[i] = byte(rng.IntN(256))
		}
		g[15] = 1
		s[15] = byte(2 + rng.IntN(200))
		if !local {
			s = [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))}
			s[15] = byte(1 + rng.IntN(254))
			s[14] = byte(rng.IntN(8))
		}
		a := addresses{client: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom16(c), 64)}}
		if local {
			a.server = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom16(s), 64)}
			return a
		}
		a.gateway = netip.AddrFrom16(g)
		a.server = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom16(s), 128), netip.PrefixFrom(a.gateway, 64)}
		return a
	}
	var net3 [3]byte
	switch rng.IntN(4) {
	case 0, 1:
		net3 = [3]byte{192, 168, byte(pick(rng, []int{0, 1, 1, 2, 8, 10, 50, 88, 100, 178, 188}))}
	case 2:
		net3 = [3]byte{10, byte(rng.IntN(256)), byte(rng.IntN(256))}
	case 3:
		net3 = [3]byte{172, byte(16 + rng.IntN(16)), byte(rng.IntN(256))}
	}
	at := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{net3[0], net3[1], net3[2], byte(n)}) }
	host := 2 + rng.IntN(120)
	a := addresses{client: []netip.Prefix{netip.PrefixFrom(at(host), 24)}}
	if local {
		a.server = []netip.Prefix{netip.PrefixFrom(at(130+rng.IntN(120)), 24)}
		return a
	}
	a.gateway = at(pick(rng, []int{1, 1, 1, 254}))
	var s [4]byte
	low := byte(1 + rng.IntN(254))
	switch rng.IntN(6) {
	case 0:
		s = pick(rng, [][4]byte{{192, 0, 2}, {198, 51, 100}, {203, 0, 113}})
	case 1, 2:
		s = [4]byte{198, byte(18 + rng.IntN(2)), byte(rng.IntN(256))}
	default:
		s = [4]byte{100, byte(64 + rng.IntN(64)), byte(rng.IntN(256))}
	}
	s[3] = low
	a.server = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4(s), 32), netip.PrefixFrom(a.gateway, 24)}
	return a
}

// drawMAC makes a hardware address with a common vendor's prefix.
func drawMAC(rng *rand.Rand) tcpip.LinkAddress {
	v := pick(rng, []string{"\x00\x1b\x21", "\xf0\x18\x98", "\xb8\x27\xeb", "\x3c\x22\xfb", "\x00\x50\x56",
		"\x52\x54\x00", "\xd8\xbb\xc1", "\x00\x0c\x29", "\xe4\x5f\x01", "\xa4\x83\xe7", "\x9c\x3d\xcf", "\x48\x2c\xa0"})
	return tcpip.LinkAddress(v + string([]byte{byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))}))
}
