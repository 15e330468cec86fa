package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// System is how the network stack of an operating system shows itself.
type System struct {
	TTL                 uint8
	FirstPort, LastPort uint16 // ephemeral ports
	Buffer              int    // receive buffer: window and window scale follow from it
	SACK                bool
	Cubic               bool
	AckDelay            time.Duration
}

var systems = []System{
	{64, 32768, 60999, 131072, true, true, 0},                        // Linux
	{64, 32768, 60999, 1 << 20, true, true, 0},                       // Linux, tuned
	{128, 49152, 65535, 262144, true, true, 50 * time.Millisecond},   // Windows
	{64, 49152, 65535, 131072, true, false, 100 * time.Millisecond},  // macOS, iOS
	{64, 10000, 65535, 65536, true, false, 40 * time.Millisecond},    // BSD
	{255, 49153, 65535, 16384, false, false, 200 * time.Millisecond}, // a small device
}

const nicID = 1

// Host is one end of a link: a gVisor TCP/IP stack with one network card.
type Host struct {
	stack *stack.Stack
	Addr  netip.Addr // the address that the scenario uses
	names map[string]netip.Addr
}

// newHost starts a stack on the card. Addresses are on-link; gateway, when
// valid, is where everything else goes.
func newHost(c *card, mac tcpip.LinkAddress, sys System, src *source, addrs []netip.Prefix, gateway netip.Addr) (*Host, error) {
	c.addr, c.Delay = mac, sys.AckDelay
	s := stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
		RandSource: src,
		SecureRNG:  src,
	})
	if err := s.CreateNIC(nicID, ethernet.New(c)); err != nil {
		return nil, fmt.Errorf("failed to make a network card: %v", err)
	}
	h := &Host{stack: s, Addr: addrs[0].Addr()}
	for _, a := range addrs {
		if err := s.AddProtocolAddress(nicID, tcpip.ProtocolAddress{
			Protocol: protocolOf(a.Addr()),
			AddressWithPrefix: tcpip.AddressWithPrefix{
				Address: address(a.Addr()), PrefixLen: a.Bits()},
		}, stack.AddressProperties{}); err != nil {
			return nil, fmt.Errorf("failed to add address %v: %v", a, err)
		}
	}
	var routes []tcpip.Route
	for _, a := range addrs {
		sub, err := tcpip.NewSubnet(address(a.Masked().Addr()), tcpip.MaskFromBytes(net.CIDRMask(a.Bits(), a.Addr().BitLen())))
		if err != nil {
			return nil, err
		}
		routes = append(routes, tcpip.Route{Destination: sub, NIC: nicID})
	}
	if gateway.IsValid() {
		all := header.IPv4EmptySubnet
		if gateway.Is6() {
			all = header.IPv6EmptySubnet
		}
		routes = append(routes, tcpip.Route{Destination: all, Gateway: address(gateway), NIC: nicID})
	}
	s.SetRouteTable(routes)
	return h, h.tune(sys)
}

func (h *Host) tune(sys System) error {
	s := h.stack
	ttl := tcpip.DefaultTTLOption(sys.TTL)
	sack := tcpip.TCPSACKEnabled(sys.SACK)
	// RACK would need kernel clocks finer than the lab's; plain SACK recovery
	// shows the retransmissions that captures show.
	rack := tcpip.TCPRecovery(0)
	recv := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: sys.Buffer, Max: 4 * sys.Buffer}
	cc := tcpip.CongestionControlOption("reno")
	if sys.Cubic {
		cc = "cubic"
	}
	for _, err := range []tcpip.Error{
		s.SetNetworkProtocolOption(ipv4.ProtocolNumber, &ttl),
		s.SetNetworkProtocolOption(ipv6.ProtocolNumber, &ttl),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &rack),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &recv),
		s.SetTransportProtocolOption(tcp.ProtocolNumber, &cc),
		s.SetPortRange(sys.FirstPort, sys.LastPort),
	} {
		if err != nil {
			return fmt.Errorf("failed to set up a host: %v", err)
		}
	}
	return nil
}

func (h *Host) close() {
	h.stack.Close()
	for _, e := range h.stack.CleanupEndpoints() {
		e.Abort()
	}
}

func address(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// resolve turns "host:port" into an address; names come from the world.
func (h *Host) resolve(addr string) (tcpip.FullAddress, tcpip.NetworkProtocolNumber, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return tcpip.FullAddress{}, 0, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return tcpip.FullAddress{}, 0, err
	}
	ip := h.Addr
	if name != "" {
		if ip, err = netip.ParseAddr(name); err != nil {
			var ok bool
			if ip, ok = h.names[name]; !ok {
				return tcpip.FullAddress{}, 0, fmt.Errorf("no such host: %s", name)
			}
		}
	}
	return tcpip.FullAddress{NIC: nicID, Addr: address(ip), Port: uint16(n)}, protocolOf(ip), nil
}

// Dial is net.Dial over the host's stack.
func (h *Host) Dial(network, addr string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, addr)
}

// DialContext is net.Dialer.DialContext over the host's stack.
func (h *Host) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	full, proto, err := h.resolve(addr)
	if err != nil {
		return nil, err
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		return gonet.DialContextTCP(ctx, h.stack, full, proto)
	case "udp", "udp4", "udp6":
		return gonet.DialUDP(h.stack, nil, &full, proto)
	}
	return nil, errors.New("unknown network " + network)
}

// Listen is net.Listen("tcp", addr) over the host's stack.
func (h *Host) Listen(addr string) (net.Listener, error) {
	full, proto, err := h.resolve(addr)
	if err != nil {
		return nil, err
	}
	return gonet.ListenTCP(h.stack, full, proto)
}

// ListenPacket is net.ListenPacket("udp", addr) over the host's stack.
func (h *Host) ListenPacket(addr string) (*gonet.UDPConn, error) {
	full, proto, err := h.resolve(addr)
	if err != nil {
		return nil, err
	}
	return gonet.DialUDP(h.stack, &full, nil, proto)
}
