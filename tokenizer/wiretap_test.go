package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// row is what tshark prints of a record: time, captured length, length on the wire.
type row struct {
	time      string // seconds with nine decimals; "" when the record has none
	cap, wire uint32
}

func (r row) String() string { return fmt.Sprintf("%s\t%d\t%d", r.time, r.cap, r.wire) }

// reckoning is what a capture holds in the terms of tshark, which differ from
// ours by rules of the format alone:
//   - lengths are without the pseudo-header that some link types begin with, and
//     the length on the wire is what the file says, even when less was captured
//     or when it is beyond 31 bits, where tshark stops;
//   - a pcap fraction is kept in 32 bits with a sign, in nanoseconds, and not
//     carried into the seconds; the sign stands in front of the whole time;
//   - an ERF record has its own time and length in its header;
//   - a simple packet block has no time; a custom block is a record without one.
//
// Packets are ours, so that the two readings are tied to each other.
type reckoning struct {
	rows    []row
	packets []pcap.Packet
	err     error // where the reading ended before the end of the file
}

// reckon reads the records of a capture one by one and holds each packet
// against what pcap.Parse says of it.
func reckon(t *testing.T, path string, file []byte) reckoning {
	t.Helper()
	in, _, release, err := pcap.Uncompressed(bytes.NewReader(file))
	if err != nil {
		return reckoning{err: err}
	}
	defer release()
	b, _ := io.ReadAll(in)
	p := pcap.Parser{Path: path}
	var out reckoning
	for rest := b; ; {
		r, err := p.Next(rest, true)
		if err != nil {
			if err != io.EOF {
				out.err = err
			}
			break
		}
		record := rest[:r.Size]
		rest = rest[r.Size:]
		switch {
		case r.IsPacket:
			out.packets = append(out.packets, r.Packet(record))
			out.rows = append(out.rows, wiretapRow(&p, &r, record))
		case p.Format == pcap.NG && custom(order(p.Big).Uint32(record)) && len(record) >= 16:
			n := uint32(len(record) - 16)
			out.rows = append(out.rows, row{"", n, n})
		}
	}
	whole, err := pcap.Parse(path, file)
	if err != nil {
		if len(out.packets) > 0 {
			t.Errorf("%s: records are read, the file is not: %v", path, err)
		}
		return out
	}
	if len(whole.Packets) != len(out.packets) {
		t.Errorf("%s: %d packets as records, %d in the file", path, len(out.packets), len(whole.Packets))
		return out
	}
	for i, q := range whole.Packets {
		if r := out.packets[i]; !q.Time.Equal(r.Time) || !bytes.Equal(q.Data, r.Data) || q.Length != r.Length {
			t.Errorf("%s: packet %d is another as a record", path, i+1)
		}
	}
	return out
}

func order(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// custom tells the two kinds of custom blocks.
func custom(kind uint32) bool { return kind == 0xbad || kind == 0x40000bad }

// wiretapRow is the row of a packet record.
func wiretapRow(p *pcap.Parser, r *pcap.Record, record []byte) row {
	data := record[r.Lo:r.Hi]
	strip := min(pseudoHeader(r.LinkType, data), len(data))
	out := row{cap: uint32(len(data) - strip), wire: uint32(max(r.Wire-strip, 0))}
	out.wire = min(out.wire, math.MaxInt32)
	switch {
	case p.Format == pcap.Classic:
		frac := order(p.Big).Uint32(record[4:])
		if !p.Nano {
			frac *= 1000
		}
		out.time = signed(int64(order(p.Big).Uint32(record)), int32(frac))
	case order(p.Big).Uint32(record) != 3:
		out.time = signed(r.Sec, int32(r.Nsec))
	}
	if r.LinkType == linkERF && len(data) >= 16 {
		ts := binary.LittleEndian.Uint64(data)
		out.time = signed(int64(ts>>32), int32((ts&math.MaxUint32*1e9+1<<31)>>32))
		out.wire = uint32(binary.BigEndian.Uint16(data[14:]))
		out.cap = min(out.cap, out.wire)
	}
	return out
}

// signed prints a time as tshark does.
func signed(sec int64, nsec int32) string {
	sign := ""
	if nsec < 0 && sec >= 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%d.%09d", sign, sec, max(int64(nsec), -int64(nsec)))
}

const linkERF = 197

// pseudoHeader is how many bytes of a packet are, for tshark, no part of it.
func pseudoHeader(link pcap.LinkType, data []byte) int {
	switch link {
	case 123, 139, 201, 254: // SunATM, MTP2, Bluetooth
		return 4
	case 144, 177: // IrDA, LAPD
		return 16
	case 196, 209: // SITA, I²C
		return 5
	case 245: // NFC
		return 2
	case 204: // PPP
		return 1
	case linkERF:
		return erfHeader(data)
	}
	return 0
}

// erfHeader is an ERF record's header with its extensions and what its type adds.
func erfHeader(data []byte) int {
	if len(data) < 16 {
		return 0
	}
	n := 16
	for more := data[8]; more&0x80 != 0 && n+8 <= len(data); n += 8 {
		more = data[n]
	}
	switch data[8] & 0x7f {
	case 2, 11, 16, 20: // Ethernet
		n += 2
	case 5, 6, 7, 8, 9, 12, 17, 18: // several channels
		n += 4
	}
	return n
}

// plainRows are the rows of packets as they come out of a capture that was
// written anew: times in order, lengths not below what was captured.
func plainRows(packets []pcap.Packet) []row {
	var rows []row
	for _, p := range packets {
		strip := min(pseudoHeader(p.LinkType, p.Data), len(p.Data))
		r := row{signed(p.Time.Unix(), int32(p.Time.Nanosecond())), uint32(len(p.Data) - strip), uint32(min(p.Length-strip, math.MaxInt32))}
		if p.LinkType == linkERF && len(p.Data) >= 16 {
			ts := binary.LittleEndian.Uint64(p.Data)
			r.time = signed(int64(ts>>32), int32((ts&math.MaxUint32*1e9+1<<31)>>32))
			r.wire = uint32(binary.BigEndian.Uint16(p.Data[14:]))
			r.cap = min(r.cap, r.wire)
		}
		rows = append(rows, r)
	}
	return rows
}

// The reckoning itself: known values of tshark's.
func TestReckoning(t *testing.T) {
	for _, k := range []struct {
		sec  int64
		frac uint32
		want string
	}{{5, 7, "5.000007000"}, {1953631157, 0xffea9138, "-1953631157.1404616000"}, {0, 83820592, "-0.2078753920"}, {84, 1e6 - 1, "84.999999000"}} {
		if got := signed(k.sec, int32(k.frac*1000)); got != k.want {
			t.Errorf("%d, %d: %s, want %s", k.sec, k.frac, got, k.want)
		}
	}
	p := pcap.Packet{Time: time.Unix(1, 2), Data: make([]byte, 20), Length: 30, LinkType: 123}
	if got := plainRows([]pcap.Packet{p})[0].String(); got != "1.000000002\t16\t26" {
		t.Error(got)
	}
}
