package metrics

import (
	"encoding/binary"

	"trafficgpt/tokenizer/pcap"
)

const (
	fin, syn, rst, ack = 1, 2, 4, 16
)

// sender is one side of a connection.
type sender struct {
	known bool   // next is
	next  uint32 // sequence number behind all that was seen
	fin   bool
}

// Stages of the handshake.
const (
	underWay = iota - 1 // when the capture began: judged by its numbers only
	nothing
	sentSYN
	sentSYNACK
	established
)

// connection follows one TCP flow.
type connection struct {
	rates         []Rate
	stage         int
	begun         bool
	sides         [2]sender // initiator, responder
	reset, closed bool
}

func follow(f *pcap.Flow, views []view, rates []Rate) {
	c := connection{rates: rates}
	for i := range views {
		if v := &views[i]; v.Protocol == 6 && v.Fragment == pcap.FragmentNone && v.segment != nil {
			who := 1
			if f.Outgoing(i) {
				who = 0
			}
			c.packet(v, who)
		}
	}
}

func (c *connection) packet(v *view, who int) {
	seg := v.segment
	flags, length := seg[13], v.payload()
	seq, ackn := binary.BigEndian.Uint32(seg[4:]), binary.BigEndian.Uint32(seg[8:])
	c.rates[flagsOK].count(sensible(flags))
	if !c.begun {
		c.begun = true
		c.rates[beginsSYN].count(flags&(syn|ack) == syn)
		if flags&syn == 0 {
			c.stage = underWay
		}
	}
	switch over := c.reset || c.closed; {
	case flags&syn == 0:
		// After a reset only resets may come, after both FINs also empty ACKs.
		c.rates[afterEnd].count(!over || flags&rst != 0 || length == 0 && !c.reset)
	case over: // the same ports, a new connection
		*c = connection{rates: c.rates, begun: true}
	}
	c.shake(flags, who)
	if length > 0 {
		c.rates[dataAfter].count(c.stage == established || c.stage == underWay || flags&syn != 0)
	}
	peer := &c.sides[1-who]
	c.sides[who].send(seq, length, flags, &c.rates[seqContinues])
	if flags&ack != 0 && flags&rst == 0 && peer.known {
		ahead := int32(ackn - peer.next)
		c.rates[ackSent].count(ahead <= 0 && ahead > -(1<<30))
	}
	c.reset = c.reset || flags&rst != 0
	c.closed = c.closed || c.sides[0].fin && c.sides[1].fin
}

// sensible flags are those that a stack sends: never SYN with FIN or RST, and
// ACK on all but the first SYN and a RST.
func sensible(flags byte) bool {
	switch {
	case flags&syn != 0 && flags&(fin|rst) != 0, flags&fin != 0 && flags&rst != 0:
		return false
	case flags&(syn|rst) == 0 && flags&ack == 0:
		return false
	}
	return true
}

// shake takes the next packet of a handshake.
func (c *connection) shake(flags byte, who int) {
	rate := &c.rates[handshake]
	switch {
	case c.stage == underWay || c.stage == established:
	case flags&rst != 0:
		c.stage = established
	case flags&(syn|ack) == syn && who == 0:
		if c.stage == nothing { // else it was lost and comes again
			rate.count(true)
			c.stage = sentSYN
		}
	case flags&(syn|ack) == syn|ack && c.stage >= sentSYN:
		if c.stage == sentSYN {
			rate.count(who == 1)
			c.stage = sentSYNACK
		}
	case flags&ack != 0 && c.stage == sentSYNACK && who == 0:
		rate.count(true)
		c.stage = established
	default: // out of turn
		rate.count(false)
		c.stage = established
	}
}

// send notes a packet. A retransmission or keep-alive is no gap; a number is
// wrong when it leaves a hole, or lies far before what was sent.
func (s *sender) send(seq uint32, length int, flags byte, rate *Rate) {
	next := seq + uint32(length)
	if flags&syn != 0 {
		next++
	}
	if flags&fin != 0 {
		next++
	}
	if flags&rst != 0 {
		return
	}
	if s.known && flags&syn == 0 {
		gap := int32(seq - s.next)
		rate.count(gap <= 0 && gap > -(1<<22))
	}
	if !s.known || int32(next-s.next) > 0 || flags&syn != 0 {
		s.next = next
	}
	s.known = true
	s.fin = s.fin || flags&fin != 0
}
