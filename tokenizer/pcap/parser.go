package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Error says what is wrong with a capture file and where.
type Error struct {
	Path    string
	Offset  int64 // bytes from the start of the (uncompressed) capture
	Problem string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("offset %d: %s", e.Offset, e.Problem)
	}
	return fmt.Sprintf("%s: offset %d: %s", e.Path, e.Offset, e.Problem)
}

// errMore says that the record goes on after the bytes at hand.
var errMore = errors.New("more bytes needed")

// Record is one piece of a capture file as it lies there: a packet with its
// header, or something between packets. The pieces of a file follow each other
// without gaps, so the captured bytes and what stands around them are the file.
type Record struct {
	Size     int  // bytes of the file that the record takes
	IsPacket bool // the fields below are set
	Lo, Hi   int  // captured bytes, from the start of the record
	Sec      int64
	Nsec     uint32
	Wire     int // bytes on the wire as the file says; may be below Hi-Lo in broken files
	Iface    int
	LinkType LinkType
}

// Format is the kind of a capture file.
type Format string

// The formats of capture files.
const (
	Classic Format = "pcap"
	NG      Format = "pcapng"
)

// Interface is a capture interface: the only one of a pcap file, or one of those a pcapng file describes.
type Interface struct {
	Name        string
	Description string
	LinkType    LinkType
	SnapLen     uint32
	// Units is how many ticks of the clock a second has, 0 when that is beyond 64 bits.
	Units  uint64
	Offset int64 // seconds to add to each timestamp

	resolution byte // if_tsresol as written
}

// Parser cuts the bytes of a capture file into records. It keeps no reference
// to the bytes it is given.
type Parser struct {
	Path       string
	Format     Format
	Big        bool // big-endian (of the section being read, in pcapng)
	Nano       bool // pcap with nanoseconds
	Interfaces []Interface
	Sections   int
	Warnings   []string

	off     int64 // of the next record
	need    int   // how many bytes the record takes, when it is known and they are not there
	started bool
	swap    int // pcap: length fields exchanged; see classicHeader
	maximum uint32
	base    int // first interface of the section
}

const (
	maxPacket    = 262144    // what libpcap and Wireshark accept of most links
	maxBigPacket = 128 << 20 // and of the links that carry messages, not frames
	maxBlock     = 256 << 20 // of a pcapng file
	maxWarnings  = 100

	maxInterfaces = 1 << 20
)

func (p *Parser) fail(at int, format string, args ...any) error {
	return &Error{p.Path, p.off + int64(at), fmt.Sprintf(format, args...)}
}

func (p *Parser) warn(at int, format string, args ...any) {
	if len(p.Warnings) < maxWarnings {
		p.Warnings = append(p.Warnings, p.fail(at, format, args...).Error())
	} else if len(p.Warnings) == maxWarnings {
		p.Warnings = append(p.Warnings, "further warnings are left out")
	}
}

func (p *Parser) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if p.Big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (p *Parser) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.Big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

// Offset is where the next record begins.
func (p *Parser) Offset() int64 { return p.off }

// Next reads the record at the start of b, which must be the bytes at Offset;
// whole says that b reaches to the end of the file. It returns io.EOF at the end, an
// *Error when the file cannot be read on, and More(err) is true when b is too short.
func (p *Parser) Next(b []byte, whole bool) (Record, error) {
	var r Record
	var err error
	p.need = 0
	switch {
	case p.started && len(b) == 0 && whole:
		return r, io.EOF
	case p.started && len(b) == 0:
		return r, errMore
	case !p.started:
		r, err = p.first(b)
	case p.Format == Classic:
		r, err = p.classic(b)
	default:
		r, err = p.block(b)
	}
	if err == errMore && whole {
		return r, p.cut(len(b))
	}
	if err != nil {
		return r, err
	}
	p.started = true
	p.off += int64(r.Size)
	return r, nil
}

// Need is how many bytes the record takes that Next has just asked more bytes
// for, 0 when they are too few to tell.
func (p *Parser) Need() int { return p.need }

// Skip passes over n bytes that the caller has dealt with.
func (p *Parser) Skip(n int) { p.off += int64(n) }

// BlockFrame is how packets of interface i are framed: the byte order, the
// number of the interface in its section, its clock.
func (p *Parser) BlockFrame(i int) (big bool, id int, units uint64, offset int64) {
	return p.Big, i - p.base, p.Interfaces[i].Units, p.Interfaces[i].Offset
}

// More reports whether err asks for more bytes of the file.
func More(err error) bool { return err == errMore }

func (p *Parser) cut(n int) error {
	switch {
	case !p.started && n == 0:
		return p.fail(0, "the file is empty")
	case !p.started:
		return p.fail(n, "the file ends within its header")
	case p.Format == NG:
		return p.fail(0, "the file ends within a block, %d bytes after its start", n)
	default:
		return p.fail(0, "the file ends within a packet, %d bytes after its start", n)
	}
}

// Magic numbers, as read in little-endian order.
const (
	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d
	magicNG    = 0x0a0d0d0a
)

// first reads the header of a file and so learns its format.
func (p *Parser) first(b []byte) (Record, error) {
	if len(b) < 4 {
		return Record{}, errMore
	}
	le := binary.LittleEndian.Uint32(b)
	be := binary.BigEndian.Uint32(b)
	if le == magicNG {
		p.Format = NG
		return p.block(b)
	}
	for _, big := range []bool{false, true} {
		magic := le
		if big {
			magic = be
		}
		if magic == magicMicro || magic == magicNano {
			p.Format, p.Big, p.Nano = Classic, big, magic == magicNano
			return p.classicHeader(b)
		}
		if name := foreign[magic]; name != "" {
			return Record{}, p.fail(0, "%s: this format is not read", name)
		}
	}
	return Record{}, p.fail(0, "not a capture file: it starts with bytes % x", b[:4])
}

// foreign names formats that are often taken for pcap.
var foreign = map[uint32]string{
	0xa1b2cd34: "modified pcap (Kuznetsov's, with an interface in each packet header)",
	0xa1e2cb12: "modified pcap (Navtel)",
	0x1c0001ac: "IXIA capture (hardware)",
	0x1c0001ab: "IXIA capture (software)",
	0x736e6f6f: "snoop capture",
	0x62747366: "btsnoop capture",
	0x62747370: "btsnoop capture",
	0x474d4255: "Network Monitor capture",
	0x52545353: "Network Monitor 1 capture",
	0x58435000: "NetXRay capture",
}

// Exchange of the two length fields in old pcap files.
const (
	swapNever = iota
	swapMaybe // version 2.3: some writers did
	swapAlways
)

func (p *Parser) classicHeader(b []byte) (Record, error) {
	if len(b) < 24 {
		return Record{}, errMore
	}
	major, minor := p.u16(b[4:]), p.u16(b[6:])
	switch {
	case major == 543 && minor == 0: // Digital Unix
		p.swap = swapAlways
	case major != 2:
		return Record{}, p.fail(4, "pcap version %d.%d is not read, only version 2", major, minor)
	case minor < 3:
		p.swap = swapAlways
	case minor == 3:
		p.swap = swapMaybe
	}
	// The upper half of the word holds the length of the frame check sequence and reserved bits.
	link := LinkType(p.u32(b[20:]) & 0xffff)
	units := uint64(1e6)
	if p.Nano {
		units = 1e9
	}
	p.Interfaces = []Interface{{LinkType: link, SnapLen: p.u32(b[16:]), Units: units}}
	p.Sections = 1
	p.maximum = maximum(link)
	return Record{Size: 24}, nil
}

func maximum(link LinkType) uint32 {
	switch link {
	case 231, 249, 279: // D-Bus, USBPcap, EBHSCR
		return maxBigPacket
	}
	return maxPacket
}

func (p *Parser) classic(b []byte) (Record, error) {
	if len(b) < 16 {
		return Record{}, errMore
	}
	sec, frac := p.u32(b), p.u32(b[4:])
	size, wire := p.u32(b[8:]), p.u32(b[12:])
	if p.swap != swapNever && (p.swap == swapAlways || size > wire) {
		size, wire = wire, size
	}
	if size > p.maximum {
		return Record{}, p.fail(0, "a packet header claims %d captured bytes, more than the %d there may be", size, p.maximum)
	}
	end := 16 + int(size)
	if len(b) < end {
		p.need = end
		return Record{}, errMore
	}
	r := Record{Size: end, IsPacket: true, Lo: 16, Hi: end, Sec: int64(sec), Wire: int(wire), LinkType: p.Interfaces[0].LinkType}
	if !p.Nano {
		// A fraction beyond a second is carried into the seconds, as every reader does.
		if frac >= 1e6 {
			r.Sec += int64(frac / 1e6)
			frac %= 1e6
		}
		r.Nsec = frac * 1000
	} else {
		if frac >= 1e9 {
			r.Sec += int64(frac / 1e9)
			frac %= 1e9
		}
		r.Nsec = frac
	}
	return r, nil
}
