package main

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// card is the lower half of a network card and its driver: frames out to the
// link and in from it.
type card struct {
	link *Link
	side int
	addr tcpip.LinkAddress
	// Gather is how long the card waits after a frame before it interrupts, so
	// that several come in at once (and get one acknowledgement).
	Gather time.Duration
	// Delay is how long a pure acknowledgement waits for data to ride on, or for
	// a second one that takes its place (RFC 1122, 4.2.3.2). gVisor's TCP
	// acknowledges at once, as Linux does at the start of a connection; other
	// systems do not.
	Delay time.Duration

	mu         sync.Mutex
	dispatcher stack.NetworkDispatcher
	coming     []arrival
	interrupt  time.Time
	acks       map[string]*ackState
}

var _ stack.LinkEndpoint = (*card)(nil)

type arrival struct {
	at    time.Time
	frame []byte
}

// arrive takes a frame that will be at the card at the given time.
func (c *card) arrive(frame []byte, now, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.coming = append(c.coming, arrival{at, frame})
	if !c.interrupt.Before(at) {
		return // the interrupt that is set takes this one too
	}
	c.interrupt = at.Add(c.Gather)
	time.AfterFunc(c.interrupt.Sub(now), c.deliver)
}

// deliver hands all frames that are there to the stack.
func (c *card) deliver() {
	c.mu.Lock()
	now := time.Now()
	var ready, later []arrival
	for _, a := range c.coming {
		if a.at.After(now) {
			later = append(later, a)
		} else {
			ready = append(ready, a)
		}
	}
	c.coming = later
	d := c.dispatcher
	c.mu.Unlock()
	if d == nil {
		return
	}
	slices.SortStableFunc(ready, func(a, b arrival) int { return a.at.Compare(b.at) })
	for _, a := range ready {
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
			Payload: buffer.MakeWithData(slices.Clone(a.frame)),
		})
		d.DeliverNetworkPacket(0, pkt) // the Ethernet layer above reads the type
		pkt.DecRef()
	}
}

func (c *card) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	for _, pkt := range pkts.AsSlice() {
		v := pkt.ToView()
		frame := slices.Clone(v.AsSlice())
		v.Release()
		if c.Delay > 0 {
			c.acknowledge(frame)
		} else {
			c.link.send(c.side, frame)
		}
		n++
	}
	return n, nil
}

// ackState is what the driver remembers of one direction of a connection.
type ackState struct {
	begun bool   // the acknowledgement of the handshake has gone
	last  uint32 // last acknowledgement number sent or held
	held  []byte
}

// acknowledge sends a frame; a pure acknowledgement may wait.
func (c *card) acknowledge(frame []byte) {
	key, flags, ack, pure := readAck(frame)
	if key == "" {
		c.link.send(c.side, frame)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acks == nil {
		c.acks = map[string]*ackState{}
	}
	s := c.acks[key]
	if s == nil || flags&header.TCPFlagSyn != 0 {
		s = &ackState{}
		c.acks[key] = s
	}
	ahead := int32(ack - s.last)
	hold := pure && s.begun && ahead > 0 && ahead < 2000 && s.held == nil
	s.begun = s.begun || flags&header.TCPFlagSyn == 0
	if s.held != nil && ahead == 0 && pure {
		c.link.send(c.side, s.held) // a duplicate or a window update comes after it
	}
	s.held, s.last = nil, ack
	if !hold {
		c.link.send(c.side, frame)
		return
	}
	s.held = frame
	time.AfterFunc(c.Delay, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(s.held) > 0 && &s.held[0] == &frame[0] {
			s.held = nil
			c.link.send(c.side, frame)
		}
	})
}

// readAck reads a TCP frame: the connection, its flags and acknowledgement
// number, and whether it is nothing but an acknowledgement.
func readAck(f []byte) (key string, flags header.TCPFlags, ack uint32, pure bool) {
	if len(f) < 54 {
		return "", 0, 0, false
	}
	at, ends := 0, ""
	switch {
	case f[12] == 0x08 && f[13] == 0 && f[23] == protoTCP:
		at, ends = 14+int(f[14]&15)*4, string(f[26:34])
	case f[12] == 0x86 && f[13] == 0xdd && f[20] == protoTCP && len(f) >= 74:
		at, ends = 54, string(f[22:54])
	default:
		return "", 0, 0, false
	}
	if len(f) < at+20 {
		return "", 0, 0, false
	}
	t := f[at:]
	n := int(t[12]>>4) * 4
	flags, ack = header.TCPFlags(t[13]), binary.BigEndian.Uint32(t[8:])
	// Without selective acknowledgements the options are the timestamps alone.
	plain := n == 20 || n == 32 && len(t) >= 32 && t[20] == 1 && t[21] == 1 && t[22] == 8
	return ends + string(t[:4]), flags, ack, plain && flags == header.TCPFlagAck && len(t) == n
}

func (c *card) Attach(d stack.NetworkDispatcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dispatcher = d
}

func (c *card) IsAttached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dispatcher != nil
}

// MTU counts the Ethernet header, as the Ethernet layer above takes it off.
func (c *card) MTU() uint32 { return c.link.Path.MTU + header.EthernetMinimumSize }

func (c *card) SetMTU(uint32)                                {}
func (c *card) MaxHeaderLength() uint16                      { return 0 }
func (c *card) LinkAddress() tcpip.LinkAddress               { return c.addr }
func (c *card) SetLinkAddress(a tcpip.LinkAddress)           { c.addr = a }
func (c *card) Capabilities() stack.LinkEndpointCapabilities { return 0 }
func (c *card) Wait()                                        {}
func (c *card) ARPHardwareType() header.ARPHardwareType      { return header.ARPHardwareEther }
func (c *card) AddHeader(*stack.PacketBuffer)                {}
func (c *card) ParseHeader(*stack.PacketBuffer) bool         { return true }
func (c *card) Close()                                       {}
func (c *card) SetOnCloseAction(func())                      {}
