package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"

	"trafficgpt/tokenizer/pcap"
)

const (
	partSize   = 1 << 20  // bytes of a source file in a part, about
	maxRecord  = 16 << 20 // a longer record goes into raw sections
	partHeader = 40
	maxSource  = 32 << 20 // bytes of a source file in a part, at most

	flagTokensPacked  = 1
	flagSidecarPacked = 2
)

// part is a piece of a source file on its way into a section: whole records,
// each packet with its flow and interval, and what tokens do not carry.
type part struct {
	raw    bool
	stream uint8
	src    []byte // the piece
	offset int64  // of the piece in the stream

	packets []placed
	slots   []slot
	order   []byte // slot of each packet, as varints
	ops     []byte
	plain   uint64 // packets framed as expected since the last operation
	frame   frame
	framed  bool // frame has been said
	tokens  int64
	begun   int // flows that begin here

	out     []byte // the section
	sidecar []byte
}

// placed is a packet of a part.
type placed struct {
	lo, n    int32 // in src
	slot     int32
	link     pcap.LinkType
	interval float64
}

// slot is the packets of one flow in a part.
type slot struct {
	flow    uint32
	begins  bool
	packets int
	bytes   int   // of tokens
	start   clock // what the first interval counts from
	at      int   // where its tokens are being written
}

func (p *part) reset() {
	p.raw, p.src, p.packets, p.slots = false, p.src[:0], p.packets[:0], p.slots[:0]
	p.order, p.ops, p.plain, p.framed, p.tokens, p.begun = p.order[:0], p.ops[:0], 0, false, 0, 0
}

func (p *part) op(kind, n uint64) {
	if p.plain > 0 {
		p.ops = binary.AppendUvarint(p.ops, p.plain<<3) // opPlain
		p.plain = 0
	}
	if n > 0 || kind != opPlain {
		p.ops = binary.AppendUvarint(p.ops, n<<3|kind)
	}
}

// literal keeps what is no packet.
func (p *part) literal(b []byte) {
	p.op(opLiteral, uint64(len(b)))
	p.ops = append(p.ops, b...)
}

// setFrame says how the following packets are framed, when that has changed.
func (p *part) setFrame(f frame) {
	if p.framed && f == p.frame {
		return
	}
	if !p.framed || f.format() != p.frame.format() {
		p.op(opFormat, f.format())
	}
	if f.ng {
		p.op(opIface, uint64(f.iface))
		p.ops = binary.AppendUvarint(p.ops, f.units)
		p.ops = binary.AppendVarint(p.ops, f.offset)
	}
	p.frame, p.framed = f, true
}

// memo is what a stream keeps in mind of a flow between its packets.
type memo struct {
	last       clock // time of the last packet, as the reader has it
	part, slot int   // where that packet went
}

// add takes a packet: record r begins at src[at:] and belongs to flow f, of
// which m is kept in mind.
func (p *part) add(number int, at int, r *pcap.Record, f pcap.Assigned, m *memo, frame frame) {
	now := clock{r.Sec, int64(r.Nsec)}
	was := m.last
	if f.New {
		was = now
	}
	if f.New || m.part != number {
		m.part, m.slot = number, len(p.slots)
		p.slots = append(p.slots, slot{flow: f.ID, begins: f.New, start: was})
		if f.New {
			p.begun++
		}
	}
	v := was.to(now)
	is := was.add(v)
	m.last = is
	n := r.Hi - r.Lo
	s := &p.slots[m.slot]
	s.packets++
	s.bytes += sizeUvarint(uint64(n)) + 9 + n
	p.tokens += int64(Overhead + n)
	if LinkToken(r.LinkType) == otherLink {
		s.bytes += 4
		p.tokens += 4
	}
	p.packets = append(p.packets, placed{int32(at + r.Lo), int32(n), int32(m.slot), r.LinkType, v})
	p.order = binary.AppendUvarint(p.order, uint64(m.slot))

	p.setFrame(frame)
	rec := p.src[at : at+r.Size]
	var buf [maxFrame]byte
	expected := r.Wire >= n
	if expected {
		h := frame.head(&buf, is, uint32(n), uint32(r.Wire))
		expected = bytes.Equal(h, rec[:r.Lo])
	}
	expected = expected && bytes.Equal(frame.tail(&buf, uint32(n)), rec[r.Hi:])
	switch {
	case !expected:
		p.op(opFramed, uint64(r.Lo))
		p.ops = append(p.ops, rec[:r.Lo]...)
		p.ops = binary.AppendUvarint(p.ops, uint64(r.Size-r.Hi))
		p.ops = append(p.ops, rec[r.Hi:]...)
	case r.Wire > n:
		p.op(opWire, uint64(r.Wire-n))
	default:
		p.plain++
	}
}

func sizeUvarint(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// build makes the payload of a part's section in p.out, behind room for the header.
func (p *part) build(pack bool) {
	p.op(opPlain, 0)
	le := binary.LittleEndian
	size := 0
	for i := range p.slots {
		p.slots[i].at = size
		size += p.slots[i].bytes
	}
	out := grow(p.out, sectionHeader+partHeader+size)
	t := out[sectionHeader+partHeader:]
	for i := range p.packets {
		k := &p.packets[i]
		s := &p.slots[k.slot]
		b := binary.AppendUvarint(t[s.at:s.at:s.at+10], uint64(k.n))
		token := LinkToken(k.link)
		b = append(b, byte(token))
		s.at += len(b)
		if token == otherLink {
			binary.BigEndian.PutUint32(t[s.at:], uint32(k.link))
			s.at += 4
		}
		binary.BigEndian.PutUint64(t[s.at:], math.Float64bits(k.interval))
		s.at += 8
		s.at += copy(t[s.at:], p.src[k.lo:k.lo+k.n])
	}
	sc := p.sidecar[:0]
	var last slot
	for _, s := range p.slots {
		sc = binary.AppendVarint(sc, int64(s.flow)-int64(last.flow))
		begins := uint64(0)
		if s.begins {
			begins = 1
		}
		sc = binary.AppendUvarint(sc, uint64(s.packets)<<1|begins)
		sc = binary.AppendVarint(sc, s.start.sec-last.start.sec)
		sc = binary.AppendUvarint(sc, uint64(s.start.nsec))
		last = s
	}
	sc = append(sc, p.order...)
	sc = append(sc, p.ops...)
	p.sidecar = sc

	flags := byte(0)
	plainTokens, plainSide := size, len(sc)
	z := packer()
	if pack && size > 0 {
		if b := z.EncodeAll(t, nil); len(b) < size {
			out = append(out[:sectionHeader+partHeader], b...)
			size, flags = len(b), flags|flagTokensPacked
		}
	}
	side := len(sc)
	if len(sc) > 256 {
		mark := len(out)
		out = z.EncodeAll(sc, out)
		if side = len(out) - mark; side < len(sc) {
			flags |= flagSidecarPacked
			sc = nil
		} else {
			out, side = out[:mark], len(sc)
		}
	}
	out = append(out, sc...)
	h := out[sectionHeader:]
	h[0], h[1], h[2], h[3] = p.stream, flags, 0, 0
	le.PutUint64(h[4:], uint64(p.offset))
	for i, v := range []int{len(p.src), len(p.packets), len(p.slots), size, plainTokens, side, plainSide} {
		le.PutUint32(h[12+4*i:], uint32(v))
	}
	p.out = out
}

// buildRaw makes the payload of a raw section.
func (p *part) buildRaw() {
	out := grow(p.out, sectionHeader+rawHeader+len(p.src))
	h := out[sectionHeader:]
	h[0], h[1], h[2], h[3] = p.stream, 0, 0, 0
	binary.LittleEndian.PutUint64(h[4:], uint64(p.offset))
	copy(h[rawHeader:], p.src)
	p.out = out
}

const rawHeader = 12

// grow returns n bytes in the memory of b if that is enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/8)
	}
	return b[:n]
}

var (
	packer = sync.OnceValue(func() *zstd.Encoder {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // the options are fixed
		}
		return z
	})
	unpacker = sync.OnceValue(func() *zstd.Decoder {
		z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxSection), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic(err) // the options are fixed
		}
		return z
	})
)

// unpackedPart is what a part's section holds.
type unpackedPart struct {
	stream uint8
	raw    bool // only src is set
	offset int64
	src    []byte   // the bytes of the source
	flows  []uint32 // flow of each packet, in the order of the file
	begins []bool   // of each packet: its flow begins with it

	packets []unplaced
	slots   []unslot
	tokens  []byte
	sidecar []byte
}

type unplaced struct {
	lo, n int
	at    clock
}

type unslot struct {
	flow       uint32
	next, last int // packets
	first      int // the packet that begins the flow, -1 when it began before
	at         clock
}

var errPart = errors.New("its inside is not as it should be")

// read takes a part's payload apart and puts the source bytes together.
func (u *unpackedPart) read(payload []byte) error {
	if len(payload) < partHeader {
		return errPart
	}
	c := cursor{b: payload}
	u.stream = c.u8()
	flags := c.u8()
	c.take(2)
	u.offset = int64(c.u64())
	length, packets, slots := int(c.u32()), int(c.u32()), int(c.u32())
	size, plainTokens, side, plainSide := int(c.u32()), int(c.u32()), int(c.u32()), int(c.u32())
	tokens, sidecar := c.take(size), c.take(side)
	if c.bad || len(c.b) > 0 || slots > packets || max(plainTokens, plainSide) > maxSection ||
		length > min(maxSource, plainTokens+plainSide+2*maxFrame*packets) {
		return errPart
	}
	var err error
	if flags&flagTokensPacked != 0 {
		if tokens, err = unpacker().DecodeAll(tokens, u.tokens[:0]); err != nil {
			return err
		}
		u.tokens = tokens
	}
	if flags&flagSidecarPacked != 0 {
		if sidecar, err = unpacker().DecodeAll(sidecar, u.sidecar[:0]); err != nil {
			return err
		}
		u.sidecar = sidecar
	}
	if len(tokens) != plainTokens || len(sidecar) != plainSide {
		return errPart
	}
	s := cursor{b: sidecar}
	if !u.place(&s, tokens, packets, slots) {
		return errPart
	}
	return u.restore(&s, tokens, packets, length)
}

// place finds the packets in the tokens, flow by flow.
func (u *unpackedPart) place(s *cursor, tokens []byte, packets, slots int) bool {
	u.slots, u.packets = u.slots[:0], u.packets[:0]
	flow, sec, sum := int64(0), int64(0), 0
	for range slots {
		flow += s.varint()
		n := s.count(2*packets + 1)
		sec += s.varint()
		k := unslot{flow: uint32(flow), next: sum, last: sum + n>>1, first: -1, at: clock{sec, int64(s.count(1e9))}}
		if n&1 != 0 {
			k.first = sum
		}
		sum = k.last
		if u.slots = append(u.slots, k); s.bad || sum > packets {
			return false
		}
	}
	if sum != packets {
		return false
	}
	t := cursor{b: tokens}
	for i := range u.slots {
		k := &u.slots[i]
		for range k.last - k.next {
			n := t.count(len(tokens))
			if t.u8() == otherLink {
				t.take(4)
			}
			b := t.take(8)
			if b == nil {
				return false
			}
			v := math.Float64frombits(binary.BigEndian.Uint64(b))
			if !(math.Abs(v) < longest) {
				return false
			}
			k.at = k.at.add(v)
			u.packets = append(u.packets, unplaced{len(tokens) - len(t.b), n, k.at})
			t.take(n)
		}
	}
	return !t.bad && len(t.b) == 0
}

// restore follows the side-car to put the source together.
func (u *unpackedPart) restore(s *cursor, tokens []byte, packets, length int) error {
	u.flows, u.begins = u.flows[:0], u.begins[:0]
	order := make([]int32, packets)
	for i := range order {
		k := s.count(len(u.slots) - 1)
		if s.bad || u.slots[k].next == u.slots[k].last {
			return errPart
		}
		order[i] = int32(u.slots[k].next)
		u.flows = append(u.flows, u.slots[k].flow)
		u.begins = append(u.begins, u.slots[k].next == u.slots[k].first)
		u.slots[k].next++
	}
	src := grow(u.src, length)[:0]
	var f frame
	var buf [maxFrame]byte
	next := 0
	for len(s.b) > 0 && !s.bad && len(src) <= length {
		v := s.uvarint()
		n := int(v >> 3)
		count := 1
		switch v & 7 {
		case opLiteral:
			src = append(src, s.take(n)...)
			continue
		case opFormat:
			f.setFormat(uint64(n))
			continue
		case opIface:
			f.iface, f.units, f.offset = uint32(n), s.uvarint(), s.varint()
			continue
		case opPlain:
			count = n
		case opWire, opFramed:
		default:
			return errPart
		}
		if count < 0 || count > packets-next {
			return errPart
		}
		for _, o := range order[next : next+count] {
			k := &u.packets[o]
			data := tokens[k.lo : k.lo+k.n]
			if v&7 == opFramed {
				src = append(append(src, s.take(n)...), data...)
				src = append(src, s.take(s.count(len(s.b)))...)
				continue
			}
			wire := uint32(k.n)
			if v&7 == opWire {
				wire += uint32(n)
			}
			src = append(append(src, f.head(&buf, k.at, uint32(k.n), wire)...), data...)
			src = append(src, f.tail(&buf, uint32(k.n))...)
		}
		next += count
	}
	u.src = src
	if s.bad || next != packets || len(src) != length {
		return errPart
	}
	return nil
}
