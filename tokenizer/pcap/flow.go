package pcap

import (
	"math"
	"net/netip"
	"slices"
	"time"
)

// Flows is a list of flows that shows itself as a table.
type Flows []*Flow

// FlowOptions says what belongs together. Its zero value is the paper's: the
// 5-tuple behind tags, and no timeouts.
type FlowOptions struct {
	Through Through // tags and tunnels to look through; 0 means Tags
	// Timeouts are nfstream's: whole milliseconds, and a packet at the limit begins a new flow.
	Idle   time.Duration // a pause of that length ends a flow (nfstream: 120 s); 0 never
	Active time.Duration // a flow that has lasted so long is ended (nfstream: 1800 s); 0 never
}

// Flows sorts the packets of the capture into bidirectional flows, in the order
// of their first packets. Every packet belongs to exactly one:
//   - by addresses, ports and IP protocol where there are such; IP fragments go
//     with the fragment that has the ports;
//   - a TCP SYN that is no retransmission starts a new flow;
//   - ICMP, ESP and other protocols without ports by addresses and protocol, ARP by its addresses;
//   - anything else by link addresses and EtherType, or, without these, by link type.
func (c *Capture) Flows(o ...FlowOptions) Flows {
	flows := Assemble(c.Packets, append(o, FlowOptions{})[0])
	for _, f := range flows {
		f.Source = c.Path
	}
	return flows
}

// Assemble sorts packets into flows, as Capture.Flows does.
func Assemble(packets []Packet, o FlowOptions) Flows {
	a := NewAssembler(AssemblerOptions{FlowOptions: o, Window: func(yield func(LinkType, []byte) bool) {
		for _, p := range packets {
			if !yield(p.LinkType, p.Data) {
				return
			}
		}
	}})
	ids := make([]uint32, len(packets))
	var counts []int
	var flows Flows
	for i := range packets {
		p := &packets[i]
		f := a.Add(p.LinkType, p.Data, p.Time.Unix(), uint32(p.Time.Nanosecond()))
		if f.New {
			flows = append(flows, &Flow{Key: f.Key()})
			counts = append(counts, 0)
		}
		ids[i] = f.ID
		counts[f.ID]++
	}
	slab := make([]Packet, len(packets))
	for i, f := range flows {
		f.Packets, slab = slab[:0:counts[i]], slab[counts[i]:]
	}
	for i, p := range packets {
		flows[ids[i]].Packets = append(flows[ids[i]].Packets, p)
	}
	for _, f := range flows {
		f.SortByTime()
	}
	return flows
}

// SortByTime puts the packets in time order; those of one time stay as they are.
func (f *Flow) SortByTime() {
	byTime := func(a, b Packet) int { return a.Time.Compare(b.Time) }
	if !slices.IsSortedFunc(f.Packets, byTime) {
		slices.SortStableFunc(f.Packets, byTime)
	}
}

// AssemblerOptions say how packets are sorted one by one. The zero value keeps
// all flows in mind and looks at no packet but the one that is added.
type AssemblerOptions struct {
	FlowOptions
	// Window goes through the packets around the one being added. It is asked
	// once, when a fragment comes before the one with the ports.
	Window func(yield func(LinkType, []byte) bool)
	// Limit is how many flows are kept in mind; 0 is no limit. Beyond it the
	// half that has been silent longest is forgotten, and a later packet of
	// such a flow starts a new one.
	Limit int
}

// Assembler sorts packets into flows one by one.
type Assembler struct {
	o     AssemblerOptions
	table map[flowKey]*state
	first map[fragment]directed // where the first fragments seen have gone
	count uint32
	slots int   // given out so far
	free  []int // those of forgotten flows
	added int64
	now   info

	searched bool // the window has been
}

// state is what is remembered of a flow.
type state struct {
	id          uint32
	firstFromA  bool // the initiator is the end a
	synSeen     bool
	synFromA    bool
	otherSeen   bool // something besides SYNs
	isn         uint32
	first, last int64 // nanoseconds, saturated
	touched     int64 // number of the last packet
	slot        int
	key         flowKey
}

// Assigned is the flow of a packet. It is valid until the next packet is added.
type Assigned struct {
	ID       uint32 // counts the flows of the assembler
	Slot     int    // counts the flows kept in mind at once: a forgotten flow's goes to another that begins
	New      bool   // it begins here
	Outgoing bool   // the packet was sent by the initiator
	s        *state
}

// NewAssembler makes an assembler that has seen no packet.
func NewAssembler(o AssemblerOptions) *Assembler {
	return &Assembler{o: o, table: map[flowKey]*state{}, first: map[fragment]directed{}}
}

const maxFirst = 1 << 18 // first fragments kept in mind

// Add puts one packet into its flow.
func (a *Assembler) Add(link LinkType, data []byte, sec int64, nsec uint32) Assigned {
	i := &a.now
	i.look(link, data, a.o.Through)
	if i.frag != FragmentNone {
		a.fragment(i)
	}
	a.added++
	t := nanoseconds(sec, nsec)
	s := a.table[i.key]
	if s != nil && !a.belongs(s, i, t) {
		a.free = append(a.free, s.slot)
		s = nil
	}
	fresh := s == nil
	if fresh {
		if a.o.Limit > 0 && len(a.table) >= a.o.Limit {
			a.forget(i.key)
		}
		// A SYN+ACK without its SYN answers the initiator.
		answer := i.key.proto == 6 && i.flags&0x12 == 0x12
		s = &state{id: a.count, firstFromA: i.fromA != answer, first: t, last: t, slot: a.slot(), key: i.key}
		a.count++
		a.table[i.key] = s
	}
	if !i.opens() {
		s.otherSeen = true
	} else if !s.synSeen {
		s.synSeen, s.synFromA, s.isn = true, i.fromA, i.seq
	}
	s.last, s.touched = max(t, s.last), a.added
	return Assigned{s.id, s.slot, fresh, i.fromA == s.firstFromA, s}
}

// belongs reports whether a packet goes on with flow s of the same key.
func (a *Assembler) belongs(s *state, i *info, t int64) bool {
	if reached(s.last, t, a.o.Idle) || reached(s.first, t, a.o.Active) {
		return false
	}
	if !i.opens() {
		return true
	}
	if !s.synSeen { // the flow was met under way, or the SYN+ACK came first
		return false
	}
	if i.fromA == s.synFromA {
		return i.seq == s.isn
	}
	return !s.otherSeen // both ends open at once
}

// reached reports whether a timeout that counts from since is over at t, as
// nfstream's meter has it: the packet that comes at the limit begins a new flow,
// and times count in whole milliseconds (if the limit does).
func reached(since, t int64, limit time.Duration) bool {
	if limit <= 0 {
		return false
	}
	if limit%time.Millisecond == 0 {
		return milliseconds(t)-milliseconds(since) >= limit.Milliseconds()
	}
	return t-since >= int64(limit)
}

// milliseconds rounds down, also before 1970.
func milliseconds(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
}

// opens reports a TCP SYN that asks for a connection; FIN or RST beside it make it nonsense.
func (i *info) opens() bool {
	const fin, syn, rst, ack = 0x01, 0x02, 0x04, 0x10
	return i.key.proto == 6 && i.flags&(fin|syn|rst|ack) == syn
}

// directed is a flow and a direction in it.
type directed struct {
	key   flowKey
	fromA bool
}

// fragment gives a later fragment the key of the first, and remembers a first.
func (a *Assembler) fragment(i *info) {
	if i.frag == FragmentFirst {
		if len(a.first) >= maxFirst {
			clear(a.first)
		}
		a.first[i.gram] = directed{i.key, i.fromA}
		return
	}
	if _, ok := a.first[i.gram]; !ok && a.o.Window != nil && !a.searched {
		a.search()
	}
	if d, ok := a.first[i.gram]; ok {
		i.key, i.fromA = d.key, d.fromA
	} else if len(a.first) < maxFirst {
		// Looked for in vain: these fragments go by their own key from here on.
		a.first[i.gram] = directed{i.key, i.fromA}
	}
}

// NewWindow says that AssemblerOptions.Window goes through other packets from now on.
func (a *Assembler) NewWindow() { a.searched = false }

// search remembers the first fragments of the window that are not known yet.
func (a *Assembler) search() {
	a.searched = true
	var x info
	for link, data := range a.o.Window {
		x.look(link, data, a.o.Through)
		if _, known := a.first[x.gram]; x.frag == FragmentFirst && !known && len(a.first) < maxFirst {
			a.first[x.gram] = directed{x.key, x.fromA}
		}
	}
}

// slot is a free one.
func (a *Assembler) slot() int {
	if n := len(a.free); n > 0 {
		slot := a.free[n-1]
		a.free = a.free[:n-1]
		return slot
	}
	a.slots++
	return a.slots - 1
}

// forget drops the half of the flows that has been silent longest. The slot of
// the one that ends now is free already.
func (a *Assembler) forget(ended flowKey) {
	ages := make([]int64, 0, len(a.table))
	for _, s := range a.table {
		ages = append(ages, s.touched)
	}
	slices.Sort(ages)
	limit := ages[len(ages)/2]
	for k, s := range a.table {
		if s.touched <= limit {
			delete(a.table, k)
			if k != ended {
				a.free = append(a.free, s.slot)
			}
		}
	}
}

// nanoseconds is a time as one number, at the ends of the range when it lies beyond.
func nanoseconds(sec int64, nsec uint32) int64 {
	const limit = math.MaxInt64/1_000_000_000 - 1
	if sec > limit {
		return math.MaxInt64
	}
	if sec < -limit {
		return math.MinInt64 / 2
	}
	return sec*1e9 + int64(nsec)
}

// Key is the flow's key, the initiator first.
func (f Assigned) Key() Key { return f.s.key.export(f.s.firstFromA) }

// KeyOf is the key of a flow that begins with p.
func KeyOf(p *Packet, through Through) Key {
	var i info
	i.look(p.LinkType, p.Data, through)
	answer := i.key.proto == 6 && i.flags&0x12 == 0x12
	return i.key.export(i.fromA != answer)
}

// export turns a key into its public form; initiator says that the end a began.
func (k *flowKey) export(initiator bool) Key {
	out := Key{Protocol: k.proto, EtherType: k.etype}
	if k.over != overIPv4 && k.over != overIPv6 {
		out.Protocol = 0
		return out
	}
	src, dst := addr(k.over, k.a), addr(k.over, k.b)
	if initiator {
		out.Src, out.Dst, out.SrcPort, out.DstPort = src, dst, k.ap, k.bp
	} else {
		out.Src, out.Dst, out.SrcPort, out.DstPort = dst, src, k.bp, k.ap
	}
	return out
}

func addr(over uint8, b [16]byte) netip.Addr {
	if over == overIPv4 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(b)
}

// Outgoing reports whether packet i was sent by the flow's initiator, that is
// by Key.Src, or by the sender of packet 0 when the flow has no addresses.
func (f *Flow) Outgoing(i int) bool {
	if !f.Key.Src.IsValid() {
		var first, this info
		first.look(f.Packets[0].LinkType, f.Packets[0].Data, Tags)
		this.look(f.Packets[i].LinkType, f.Packets[i].Data, Tags)
		answer := first.key.proto == 6 && first.flags&0x12 == 0x12
		return senderOf(&this) == senderOf(&first) != answer
	}
	p := &f.Packets[i]
	for _, through := range []Through{Tags, Tunnels, ThroughNothing} {
		var x info
		x.look(p.LinkType, p.Data, through)
		if x.key.over != overIPv4 && x.key.over != overIPv6 {
			continue
		}
		s, d := x.ends()
		switch {
		case s.addr == f.Key.Src && d.addr == f.Key.Dst && s.addr != d.addr:
			return true
		case s.addr == f.Key.Dst && d.addr == f.Key.Src && s.addr != d.addr:
			return false
		case s.addr == f.Key.Src && d.addr == f.Key.Dst:
			return x.frag == FragmentLater || s.port == f.Key.SrcPort
		}
	}
	return true
}

// end is one side of a packet.
type end struct {
	addr netip.Addr
	raw  [16]byte
	port uint16
}

// ends returns the sender and the receiver of a packet.
func (i *info) ends() (sender, receiver end) {
	a := end{raw: i.key.a, port: i.key.ap}
	b := end{raw: i.key.b, port: i.key.bp}
	if i.key.over == overIPv4 || i.key.over == overIPv6 {
		a.addr, b.addr = addr(i.key.over, i.key.a), addr(i.key.over, i.key.b)
	}
	if i.fromA {
		return a, b
	}
	return b, a
}

func senderOf(i *info) end {
	s, _ := i.ends()
	return s
}
