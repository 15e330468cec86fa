package pcap

import (
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"trafficgpt/atomicfile"

	"github.com/klauspost/compress/zstd"
)

// Write writes packets to path: a pcap file, with nanoseconds when some time
// needs them. It writes pcapng instead when the link types differ, when a time
// lies outside what pcap holds (1970 to 2106), or when the name ends in .pcapng.
// A name that ends in .gz or .zst is compressed. The file appears whole or not at all.
func Write(path string, packets []Packet) error {
	plain, compression := compressionOf(path)
	write := func(w io.Writer) error {
		if strings.HasSuffix(plain, ".pcapng") {
			return writeNG(w, packets)
		}
		return WriteTo(w, packets)
	}
	return atomicfile.Write(path, func(w io.Writer) error { return compressed(w, compression, write) })
}

// WriteFlows writes the packets of all flows to path, in time order, as Write does.
func WriteFlows(path string, flows []*Flow) error {
	return Write(path, Merge(flows))
}

// Merge returns the packets of all flows in time order; packets of one time stay in the order of the flows.
func Merge(flows []*Flow) []Packet {
	n := 0
	for _, f := range flows {
		n += len(f.Packets)
	}
	all := make([]Packet, 0, n)
	for _, f := range flows {
		all = append(all, f.Packets...)
	}
	slices.SortStableFunc(all, func(a, b Packet) int { return a.Time.Compare(b.Time) })
	return all
}

// WriteTo writes packets as a pcap or pcapng stream, chosen as by Write.
func WriteTo(w io.Writer, packets []Packet) error {
	link, nano := LinkEthernet, false
	for i, p := range packets {
		if i == 0 {
			link = p.LinkType
		}
		if sec := p.Time.Unix(); p.LinkType != link || sec < 0 || sec > math.MaxUint32 {
			return writeNG(w, packets)
		}
		nano = nano || p.Time.Nanosecond()%1000 != 0
	}
	return writeClassic(w, packets, link, nano)
}

func writeClassic(w io.Writer, packets []Packet, link LinkType, nano bool) error {
	if err := checkAll(packets); err != nil {
		return err
	}
	le := binary.LittleEndian
	magic, tick := uint32(magicMicro), 1000
	if nano {
		magic, tick = magicNano, 1
	}
	h := le.AppendUint32(nil, magic)
	h = le.AppendUint16(h, 2)
	h = le.AppendUint16(h, 4)
	h = le.AppendUint64(h, 0)
	h = le.AppendUint32(h, snapLen(packets))
	h = le.AppendUint32(h, uint32(link))
	if _, err := w.Write(h); err != nil {
		return err
	}
	for _, p := range packets {
		h = le.AppendUint32(h[:0], uint32(p.Time.Unix()))
		h = le.AppendUint32(h, uint32(p.Time.Nanosecond()/tick))
		h = le.AppendUint32(h, uint32(len(p.Data)))
		h = le.AppendUint32(h, uint32(max(p.Length, len(p.Data))))
		if _, err := w.Write(h); err != nil {
			return err
		}
		if _, err := w.Write(p.Data); err != nil {
			return err
		}
	}
	return nil
}

func snapLen(packets []Packet) uint32 {
	n := maxPacket
	for _, p := range packets {
		n = max(n, len(p.Data))
	}
	return uint32(n)
}

func checkAll(packets []Packet) error {
	for i, p := range packets {
		if p.LinkType > 0xffff {
			return fmt.Errorf("packet %d: link type %d does not fit a capture file", i, uint32(p.LinkType))
		}
		if limit := int(maximum(p.LinkType)); len(p.Data) > limit {
			return fmt.Errorf("packet %d has %d bytes, more than the %d that readers accept", i, len(p.Data), limit)
		}
		if p.Length > math.MaxUint32 {
			return fmt.Errorf("packet %d: the length %d does not fit a capture file", i, p.Length)
		}
	}
	return nil
}

// writeNG writes one section with an interface for each pair of interface and link type.
func writeNG(w io.Writer, packets []Packet) error {
	if err := checkAll(packets); err != nil {
		return err
	}
	type source struct {
		iface int
		link  LinkType
	}
	ids := map[source]uint32{}
	var all []source
	for _, p := range packets {
		s := source{p.Interface, p.LinkType}
		if _, ok := ids[s]; !ok {
			ids[s] = 0
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b source) int {
		return cmp.Or(cmp.Compare(a.iface, b.iface), cmp.Compare(a.link, b.link))
	})
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magicNG)
	b = le.AppendUint32(b, 28)
	b = le.AppendUint32(b, 0x1a2b3c4d)
	b = le.AppendUint32(b, 1) // version 1.0
	b = le.AppendUint64(b, math.MaxUint64)
	b = le.AppendUint32(b, 28)
	snap := snapLen(packets)
	for i, s := range all {
		ids[s] = uint32(i)
		b = le.AppendUint32(b, blockInterface)
		b = le.AppendUint32(b, 32)
		b = le.AppendUint32(b, uint32(s.link))
		b = le.AppendUint32(b, snap)
		b = append(b, 9, 0, 1, 0, 9, 0, 0, 0) // if_tsresol: nanoseconds
		b = append(b, 0, 0, 0, 0)
		b = le.AppendUint32(b, 32)
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	for i, p := range packets {
		ticks, err := nanoTicks(p.Time)
		if err != nil {
			return fmt.Errorf("packet %d: %w", i, err)
		}
		size := uint32(32 + (len(p.Data)+3)&^3)
		b = le.AppendUint32(b[:0], blockEnhanced)
		b = le.AppendUint32(b, size)
		b = le.AppendUint32(b, ids[source{p.Interface, p.LinkType}])
		b = le.AppendUint32(b, uint32(ticks>>32))
		b = le.AppendUint32(b, uint32(ticks))
		b = le.AppendUint32(b, uint32(len(p.Data)))
		b = le.AppendUint32(b, uint32(max(p.Length, len(p.Data))))
		b = append(b, p.Data...)
		b = append(b, 0, 0, 0)[:size-4]
		b = le.AppendUint32(b, size)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func nanoTicks(t time.Time) (uint64, error) {
	sec := t.Unix()
	if sec < 0 || sec >= math.MaxUint64/1_000_000_000 {
		return 0, fmt.Errorf("the time %s is outside what a capture file holds (1970 to 2554)", t.Format(time.RFC3339))
	}
	return uint64(sec)*1e9 + uint64(t.Nanosecond()), nil
}

// compressed lets write write what comes out of w compressed.
func compressed(w io.Writer, compression string, write func(w io.Writer) error) error {
	var z io.WriteCloser
	switch compression {
	case "gzip":
		z = gzip.NewWriter(w)
	case "zstd":
		var err error
		if z, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); err != nil {
			return err
		}
	default:
		return write(w)
	}
	if err := write(z); err != nil {
		return err
	}
	return z.Close()
}
