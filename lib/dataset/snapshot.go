package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"trafficgpt/atomicfile"
	"trafficgpt/tokenizer/pcap"
)

// A snapshot file holds a labelled set of flows in little space: a magic word,
// then columns, each compressed by itself with its length before and its
// checksum after it. Flows are stored sorted by label and group, so that like
// stands beside like, with their place in the set beside them.
//
//	magic    8 bytes "tgset\x00\x00\x01"
//	column   length of the packed column u32 LE · zstd frame · CRC-32 (IEEE) of the plain column u32 LE
//
// The columns are, in this order: strings (name, labels, groups, sources),
// flows, directions, header lengths, sizes, times, the rest of a packet (link
// type, interface, length on the wire), one column for each of the header
// bytes 0…127, payload.
const snapshotMagic = "tgset\x00\x00\x01"

const (
	colStrings = iota
	colFlows
	colDirs
	colHeaderLen
	colSizes
	colTimes
	colRest
	colPayload
	colHeader // and the 127 after it
	columns   = colHeader + maxHeader
)

// maxColumn bounds what a damaged file can make the reader allocate.
const maxColumn = 1 << 30

// Save writes the set to path, as a snapshot that Open reads: some tenth of
// the size of a capture, with labels and groups. The file appears whole or not at all.
func (s *Set) Save(path string) error {
	return atomicfile.WriteBytes(path, s.pack())
}

// Open reads a snapshot that Save wrote.
func Open(path string) (*Set, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to open the set: %w", err)
	}
	s, err := unpack(b)
	if err != nil {
		return nil, fmt.Errorf("failed to open %s: %w", path, err)
	}
	return s, nil
}

// pack encodes the set.
func (s *Set) pack() []byte {
	e := &packer{}
	order := make([]int, len(s.Flows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := s.Flows[a], s.Flows[b]
		if c := bytes.Compare([]byte(x.Label), []byte(y.Label)); c != 0 {
			return c
		}
		return bytes.Compare([]byte(x.Group), []byte(y.Group))
	})
	e.text(s.Name)
	e.start = time.Unix(0, 0)
	e.put(colFlows, uint64(len(order)))
	for _, i := range order {
		e.flow(uint64(i), s.Flows[i])
	}
	out := []byte(snapshotMagic)
	// One goroutine and one window for all: the bytes are the same everywhere.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(8<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constant and valid
	}
	defer enc.Close()
	for i := range e.col {
		packed := enc.EncodeAll(e.col[i], nil)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(packed)))
		out = append(out, packed...)
		out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(e.col[i]))
	}
	return out
}

// packer fills the columns.
type packer struct {
	col     [columns][]byte
	strings map[string]uint64
	last    []byte    // first header of the flow before
	start   time.Time // its first time
	rest    [3]int64  // link type, interface, bytes cut of the packet before
}

func (e *packer) put(c int, v uint64) { e.col[c] = binary.AppendUvarint(e.col[c], v) }
func (e *packer) sput(c int, v int64) { e.col[c] = binary.AppendVarint(e.col[c], v) }

// text stores a string once and returns its number.
func (e *packer) text(s string) uint64 {
	if e.strings == nil {
		e.strings = map[string]uint64{}
	}
	n, ok := e.strings[s]
	if !ok {
		n = uint64(len(e.strings))
		e.strings[s] = n
		e.put(colStrings, uint64(len(s)))
		e.col[colStrings] = append(e.col[colStrings], s...)
	}
	return n
}

func (e *packer) flow(place uint64, f *pcap.Flow) {
	e.put(colFlows, place)
	for _, s := range []string{f.Label, f.Group, f.Source} {
		e.put(colFlows, e.text(s))
	}
	e.put(colFlows, uint64(len(f.Packets)))
	key := appendKey(nil, f.Key)
	var guess pcap.Key
	if len(f.Packets) > 0 {
		guess = keyOf(f.Packets[0])
	}
	if guess == f.Key {
		key = nil
	}
	e.put(colFlows, uint64(len(key)))
	e.col[colFlows] = append(e.col[colFlows], key...)
	if len(f.Packets) == 0 {
		return
	}
	unit := timeUnit(f)
	e.put(colFlows, uint64(unit))
	h := &history{}
	var payload [2][]byte
	previous := e.start
	for i := range f.Packets {
		p := &f.Packets[i]
		at := p.Time.UnixNano() // may wrap around, as it does for the reader
		switch {
		case i == 0 || unit == 0:
			e.sput(colTimes, p.Time.Unix()-previous.Unix())
			e.sput(colTimes, int64(p.Time.Nanosecond()))
		default:
			e.sput(colTimes, (at-previous.UnixNano())/unit)
		}
		previous = p.Time
		if i == 0 {
			e.start = p.Time
		}
		rest := [3]int64{int64(p.LinkType), int64(p.Interface), int64(p.Length - len(p.Data))}
		if rest == e.rest {
			e.put(colRest, 0)
		} else {
			e.put(colRest, 1)
			for _, v := range rest {
				e.sput(colRest, v)
			}
			e.rest = rest
		}
		n := headerLength(p.LinkType, p.Data)
		dir := direction(f.Packets[0].Data, p.Data)
		e.col[colDirs] = append(e.col[colDirs], byte(dir))
		e.put(colHeaderLen, uint64(n))
		e.put(colSizes, uint64(len(p.Data)))
		e.header(h, p, dir, n, at)
		payload[dir] = append(payload[dir], p.Data[n:]...)
	}
	e.last = h.first
	e.col[colPayload] = append(append(e.col[colPayload], payload[0]...), payload[1]...)
}

// header stores the difference of a packet's header from the expected one.
func (e *packer) header(h *history, p *pcap.Packet, dir, n int, at int64) {
	want := h.template(dir, n, e.last)
	h.expect(want, p.LinkType, dir, len(p.Data), at)
	b := slices.Clone(p.Data)
	flipChecks(b, n, p.LinkType, -1)
	got := b[:n]
	done := [maxHeader]bool{}
	for _, f := range fieldsOf(layoutOf(p.LinkType, want), want) {
		d := number(got[f.at:f.at+f.size]) - number(want[f.at:f.at+f.size])
		for k := range f.size {
			e.col[colHeader+f.at+k] = append(e.col[colHeader+f.at+k], byte(d>>(8*(f.size-1-k))))
			done[f.at+k] = true
		}
	}
	for k := range n {
		if !done[k] {
			e.col[colHeader+k] = append(e.col[colHeader+k], got[k]-want[k])
		}
	}
	h.observe(b, n, p.LinkType, dir, at)
}

// number reads a big-endian number of up to four bytes.
func number(b []byte) uint32 {
	var v uint32
	for _, c := range b {
		v = v<<8 | uint32(c)
	}
	return v
}

// flipChecks replaces the checksums of a packet by their differences from the
// right ones (sign -1), or back (sign 1).
func flipChecks(b []byte, n int, link pcap.LinkType, sign int) {
	l := layoutOf(link, b[:n])
	ipAt, transportAt := checks(l)
	ip, transport := expectChecks(b, l)
	for _, c := range []struct {
		at    int
		right uint16
	}{{ipAt, ip}, {transportAt, transport}} {
		if c.at > 0 {
			v := binary.BigEndian.Uint16(b[c.at:])
			if sign < 0 {
				v -= c.right
			} else {
				v += c.right
			}
			binary.BigEndian.PutUint16(b[c.at:], v)
		}
	}
}

// timeUnit is the largest of 1 ms, 1 µs and 1 ns that all intervals of a flow
// are multiples of; 0 when a time is beyond what 64 bits of nanoseconds hold,
// as in damaged captures.
func timeUnit(f *pcap.Flow) int64 {
	const limit = 1 << 32 // seconds, 136 years
	unit := int64(1e6)
	first := f.Packets[0].Time
	for _, p := range f.Packets {
		if s := p.Time.Unix(); s < -limit || s > limit {
			return 0
		}
		for p.Time.Sub(first).Nanoseconds()%unit != 0 {
			unit /= 1000
		}
	}
	return unit
}

func appendKey(b []byte, k pcap.Key) []byte {
	for _, a := range []netip.Addr{k.Src, k.Dst} {
		raw := a.AsSlice()
		b = append(append(b, byte(len(raw))), raw...)
	}
	b = binary.BigEndian.AppendUint16(b, k.SrcPort)
	b = binary.BigEndian.AppendUint16(b, k.DstPort)
	b = append(b, k.Protocol)
	return binary.BigEndian.AppendUint16(b, k.EtherType)
}

// keyOf reads the key of a flow from its first packet; a flow whose key
// differs has it stored.
func keyOf(p pcap.Packet) pcap.Key {
	flows := pcap.Assemble([]pcap.Packet{p}, pcap.FlowOptions{})
	if len(flows) != 1 {
		return pcap.Key{}
	}
	return flows[0].Key
}

// unpack decodes what pack made. Any damage is an error.
func unpack(b []byte) (*Set, error) {
	if len(b) < len(snapshotMagic) || string(b[:5]) != snapshotMagic[:5] {
		return nil, errors.New("not a snapshot: its first bytes are not tgset")
	}
	if string(b[:8]) != snapshotMagic {
		return nil, fmt.Errorf("snapshot of version %d, this program knows version 1", b[7])
	}
	d := &unpacker{start: time.Unix(0, 0)}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxColumn))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	at := 8
	for i := range d.col {
		if len(b)-at < 4 {
			return nil, fmt.Errorf("cut at offset %d, in column %d: %w", at, i, io.ErrUnexpectedEOF)
		}
		n := int(binary.LittleEndian.Uint32(b[at:]))
		if n < 0 || n > len(b)-at-8 {
			return nil, fmt.Errorf("cut at offset %d, in column %d: %w", at, i, io.ErrUnexpectedEOF)
		}
		if d.col[i], err = dec.DecodeAll(b[at+4:at+4+n], nil); err != nil {
			return nil, fmt.Errorf("column %d at offset %d: %w", i, at, err)
		}
		if crc32.ChecksumIEEE(d.col[i]) != binary.LittleEndian.Uint32(b[at+4+n:]) {
			return nil, fmt.Errorf("column %d at offset %d: checksum differs", i, at)
		}
		at += n + 8
	}
	return d.set()
}

// unpacker reads the columns.
type unpacker struct {
	col     [columns][]byte
	strings []string
	last    []byte
	start   time.Time
	rest    [3]int64
	err     error
}

func (d *unpacker) fail(what string) {
	if d.err == nil {
		d.err = errors.New("the columns contradict each other: " + what)
	}
}

func (d *unpacker) get(c int) uint64 {
	v, n := binary.Uvarint(d.col[c])
	if n <= 0 {
		d.fail("too few numbers")
		return 0
	}
	d.col[c] = d.col[c][n:]
	return v
}

func (d *unpacker) sget(c int) int64 {
	v, n := binary.Varint(d.col[c])
	if n <= 0 {
		d.fail("too few numbers")
		return 0
	}
	d.col[c] = d.col[c][n:]
	return v
}

func (d *unpacker) take(c int, n uint64) []byte {
	if n > uint64(len(d.col[c])) {
		d.fail("too few bytes")
		return nil
	}
	out := d.col[c][:n:n]
	d.col[c] = d.col[c][n:]
	return out
}

func (d *unpacker) text() string {
	i := d.get(colFlows)
	if i >= uint64(len(d.strings)) {
		d.fail("a string is missing")
		return ""
	}
	return d.strings[i]
}

func (d *unpacker) set() (*Set, error) {
	for len(d.col[colStrings]) > 0 && d.err == nil {
		d.strings = append(d.strings, string(d.take(colStrings, d.get(colStrings))))
	}
	n := d.get(colFlows)
	if n > uint64(len(d.col[colFlows])) || len(d.strings) == 0 {
		d.fail("more flows than the file can hold")
	}
	if d.err != nil {
		return nil, d.err
	}
	s := &Set{Name: d.strings[0], Flows: make([]*pcap.Flow, n)}
	for range n {
		place := d.get(colFlows)
		f := d.flow()
		if d.err == nil && (place >= n || s.Flows[place] != nil) {
			d.fail("two flows in one place")
		}
		if d.err != nil {
			return nil, d.err
		}
		s.Flows[place] = f
	}
	return s, nil
}

func (d *unpacker) flow() *pcap.Flow {
	f := &pcap.Flow{Label: d.text(), Group: d.text(), Source: d.text()}
	count := d.get(colFlows)
	key := d.take(colFlows, d.get(colFlows))
	if count > uint64(len(d.col[colDirs])) {
		d.fail("more packets than the file can hold")
	}
	if d.err != nil || count == 0 {
		f.Key = readKey(key)
		return f
	}
	unit := int64(d.get(colFlows))
	f.Packets = make([]pcap.Packet, count)
	heads := make([]int, count)
	var total [2]uint64
	for i, dir := range d.col[colDirs][:count] {
		heads[i] = int(d.get(colHeaderLen))
		size := d.get(colSizes)
		if dir > 1 || heads[i] > maxHeader || size < uint64(heads[i]) || size > maxColumn {
			d.fail("a header longer than its packet")
			return f
		}
		f.Packets[i].Length = int(size)
		total[dir] += size - uint64(heads[i])
	}
	payload := [2][]byte{d.take(colPayload, total[0]), d.take(colPayload, total[1])}
	h := &history{}
	at := d.start
	for i, dir := range d.take(colDirs, count) {
		if d.err != nil {
			return f
		}
		switch {
		case i == 0 || unit == 0:
			sec := at.Unix() + d.sget(colTimes)
			at = time.Unix(sec, d.sget(colTimes)).UTC()
		default:
			at = at.Add(time.Duration(d.sget(colTimes) * unit))
		}
		if i == 0 {
			d.start = at
		}
		if d.get(colRest) != 0 {
			for k := range d.rest {
				d.rest[k] = d.sget(colRest)
			}
		}
		p := &f.Packets[i]
		p.Time = at
		p.LinkType, p.Interface = pcap.LinkType(d.rest[0]), int(d.rest[1])
		b := make([]byte, p.Length)
		p.Length += int(d.rest[2])
		n := copy(b[heads[i]:], payload[dir])
		payload[dir] = payload[dir][n:]
		p.Data = b
		d.header(h, p, int(dir), heads[i], at.UnixNano())
	}
	if d.err != nil {
		return f
	}
	d.last = h.first
	f.Key = readKey(key)
	if len(key) == 0 {
		f.Key = keyOf(f.Packets[0])
	}
	return f
}

// header is packer.header the other way round.
func (d *unpacker) header(h *history, p *pcap.Packet, dir, n int, at int64) {
	got := h.template(dir, n, d.last)
	h.expect(got, p.LinkType, dir, len(p.Data), at)
	done := [maxHeader]bool{}
	diff := [maxHeader]byte{}
	for k := range n {
		if len(d.col[colHeader+k]) == 0 {
			d.fail("too few header bytes")
			return
		}
		diff[k] = d.col[colHeader+k][0]
		d.col[colHeader+k] = d.col[colHeader+k][1:]
	}
	for _, f := range fieldsOf(layoutOf(p.LinkType, got), got) {
		v := number(got[f.at:f.at+f.size]) + number(diff[f.at:f.at+f.size])
		for k := range f.size {
			got[f.at+k] = byte(v >> (8 * (f.size - 1 - k)))
			done[f.at+k] = true
		}
	}
	for k := range n {
		if !done[k] {
			got[k] += diff[k]
		}
	}
	copy(p.Data, got)
	h.observe(p.Data, n, p.LinkType, dir, at)
	flipChecks(p.Data, n, p.LinkType, 1)
}

func readKey(b []byte) (k pcap.Key) {
	if len(b) < 2 {
		return k
	}
	for _, a := range []*netip.Addr{&k.Src, &k.Dst} {
		if len(b) == 0 || int(b[0]) > len(b)-1 {
			return pcap.Key{}
		}
		*a, _ = netip.AddrFromSlice(b[1 : 1+b[0]])
		b = b[1+b[0]:]
	}
	if len(b) != 7 {
		return pcap.Key{}
	}
	k.SrcPort, k.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	k.Protocol, k.EtherType = b[4], binary.BigEndian.Uint16(b[5:])
	return k
}
