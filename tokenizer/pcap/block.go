package pcap

import (
	"encoding/binary"
	"math/bits"
)

// Block types of pcapng that carry packets or say how to read them. All others
// are passed over, and kept by whoever restores the file.
const (
	blockSection   = magicNG
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
)

// block reads one pcapng block. A block whose inside is wrong but whose length
// is sound gives a warning and is no packet; a wrong length ends the reading.
func (p *Parser) block(b []byte) (Record, error) {
	if len(b) < 12 {
		return Record{}, errMore
	}
	kind := binary.LittleEndian.Uint32(b) // the section header's is a palindrome
	if kind == blockSection {
		switch m := binary.LittleEndian.Uint32(b[8:]); m {
		case 0x1a2b3c4d:
			p.Big = false
		case 0x4d3c2b1a:
			p.Big = true
		default:
			return Record{}, p.fail(8, "a section header has the byte-order mark % x", b[8:12])
		}
	} else {
		kind = p.u32(b)
	}
	total := p.u32(b[4:])
	if total < 12 || total > maxBlock {
		return Record{}, p.fail(4, "a block claims a length of %d bytes", total)
	}
	// Some writers leave the padding out of the length; it is there all the same.
	size := int(total+3) &^ 3
	if len(b) < size {
		p.need = size
		return Record{}, errMore
	}
	if again := p.u32(b[size-4:]); again != total {
		p.warn(size-4, "a block of %d bytes ends with the length %d", total, again)
	}
	r := Record{Size: size}
	body := b[8 : size-4]
	switch kind {
	case blockSection:
		return r, p.section(body)
	case blockInterface:
		if len(p.Interfaces) == maxInterfaces {
			return Record{}, p.fail(0, "more than %d interfaces", maxInterfaces)
		}
		p.iface(body)
	case blockEnhanced, blockPacket:
		p.enhanced(kind, body, &r)
	case blockSimple:
		p.simple(body, &r)
	}
	return r, nil
}

func (p *Parser) section(body []byte) error {
	if len(body) < 16 {
		return p.fail(8, "a section header has only %d bytes", len(body))
	}
	if major, minor := p.u16(body[4:]), p.u16(body[6:]); major != 1 {
		return p.fail(12, "pcapng version %d.%d is not read, only version 1", major, minor)
	}
	p.Sections++
	p.base = len(p.Interfaces)
	p.options(body[16:], 24, func(uint16, []byte) {})
	return nil
}

func (p *Parser) iface(body []byte) {
	i := Interface{Units: 1e6, resolution: 6}
	if len(body) < 8 {
		p.warn(8, "an interface description has only %d bytes", len(body))
	} else {
		i.LinkType, i.SnapLen = LinkType(p.u16(body)), p.u32(body[4:])
		p.options(body[8:], 16, func(code uint16, v []byte) {
			switch {
			case code == 2:
				i.Name = string(v)
			case code == 3:
				i.Description = string(v)
			case code == 9 && len(v) == 1:
				i.resolution = v[0]
				i.Units = units(v[0])
			case code == 14 && len(v) == 8:
				hi, lo := p.u32(v), p.u32(v[4:])
				if !p.Big {
					hi, lo = lo, hi
				}
				i.Offset = int64(uint64(hi)<<32 | uint64(lo))
			}
		})
	}
	p.Interfaces = append(p.Interfaces, i)
}

// options calls f for each option; at is where b begins in the block.
func (p *Parser) options(b []byte, at int, f func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := p.u16(b), int(p.u16(b[2:]))
		if code == 0 {
			return
		}
		if 4+n > len(b) {
			p.warn(at, "option %d claims %d bytes of the %d left in its block", code, n, len(b)-4)
			return
		}
		f(code, b[4:4+n])
		step := min(4+(n+3)&^3, len(b))
		b, at = b[step:], at+step
	}
}

// units is the number of ticks a second for an if_tsresol value, 0 beyond 64 bits.
func units(v byte) uint64 {
	if v&0x80 != 0 {
		if v&0x7f > 63 {
			return 0
		}
		return 1 << (v & 0x7f)
	}
	if v > 19 {
		return 0
	}
	u := uint64(1)
	for range v {
		u *= 10
	}
	return u
}

// clock turns ticks of an interface into seconds and nanoseconds, rounding down.
func (i *Interface) clock(ticks uint64) (sec int64, nsec uint32) {
	switch i.Units {
	case 1e6:
		return int64(ticks/1e6) + i.Offset, uint32(ticks%1e6) * 1000
	case 1e9:
		return int64(ticks/1e9) + i.Offset, uint32(ticks % 1e9)
	case 0: // less than a second in all 64 bits
		if v := i.resolution; v&0x80 != 0 {
			hi, _ := bits.Mul64(ticks, 1e9) // ticks * 1e9 / 2^64
			if shift := uint(v&0x7f) - 64; shift < 64 {
				return i.Offset, uint32(hi >> shift)
			}
			return i.Offset, 0
		}
		for n := int(i.resolution) - 9; n > 0 && ticks > 0; n-- {
			ticks /= 10
		}
		return i.Offset, uint32(ticks)
	default:
		hi, lo := bits.Mul64(ticks%i.Units, 1e9)
		ns, _ := bits.Div64(hi, lo, i.Units)
		return int64(ticks/i.Units) + i.Offset, uint32(ns)
	}
}

func (p *Parser) enhanced(kind uint32, body []byte, r *Record) {
	if len(body) < 20 {
		p.warn(0, "a packet block has only %d bytes", len(body))
		return
	}
	id := int(p.u32(body))
	if kind == blockPacket {
		id = int(p.u16(body))
	}
	if id >= len(p.Interfaces)-p.base {
		p.warn(8, "a packet of interface %d, but the section has %d: the packet is left out", id, len(p.Interfaces)-p.base)
		return
	}
	n, wire := p.u32(body[12:]), p.u32(body[16:])
	if int64(n) > int64(len(body)-20) {
		p.warn(20, "a packet block claims %d captured bytes and has %d: the packet is left out", n, len(body)-20)
		return
	}
	i := &p.Interfaces[p.base+id]
	ticks := uint64(p.u32(body[4:]))<<32 | uint64(p.u32(body[8:]))
	r.IsPacket = true
	r.Lo, r.Hi = 28, 28+int(n)
	r.Sec, r.Nsec = i.clock(ticks)
	r.Wire, r.Iface, r.LinkType = int(wire), p.base+id, i.LinkType
	if used := 20 + int(n+3)&^3; used < len(body) {
		p.options(body[used:], 8+used, func(uint16, []byte) {})
	}
}

// simple reads a Simple Packet Block: interface 0 of the section, and no time.
func (p *Parser) simple(body []byte, r *Record) {
	if p.base >= len(p.Interfaces) {
		p.warn(0, "a packet before any interface description: the packet is left out")
		return
	}
	if len(body) < 4 {
		p.warn(0, "a packet block has only %d bytes", len(body))
		return
	}
	i := &p.Interfaces[p.base]
	wire := p.u32(body)
	n := wire
	if i.SnapLen > 0 {
		n = min(n, i.SnapLen)
	}
	if int64(n) > int64(len(body)-4) {
		p.warn(8, "a packet block should have %d captured bytes and has %d: the packet is left out", n, len(body)-4)
		return
	}
	r.IsPacket = true
	r.Lo, r.Hi = 12, 12+int(n)
	r.Wire, r.Iface, r.LinkType = int(wire), p.base, i.LinkType
}
