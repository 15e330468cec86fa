package judge

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// stratum is what must agree for packets to lend each other fields.
type stratum struct {
	link     pcap.LinkType
	version  int
	protocol uint8
}

// pool is what the flows of a stratum have, each list to be drawn from by itself.
type pool struct {
	packets   []*pcap.Packet // whose bytes and lengths serve as templates
	headers   []pcap.Headers
	outgoing  []bool
	intervals []time.Duration
	counts    []int
	labels    []string
	keys      []pcap.Key
	src, dst  []netip.Addr
	sport     []uint16
	dport     []uint16
	starts    []time.Time
}

// independently makes n flows in which every field is drawn by itself from the
// flows given: a flow's number of packets, its addresses and its ports once;
// each packet's bytes and length, direction, interval, time to live, IP
// identification, and TCP's numbers, flags and window anew. Each alone has the
// distribution of the flows given, and nothing joins them. Checksums are not
// repaired.
func independently(flows []*pcap.Flow, n int, seed uint64) []*pcap.Flow {
	if len(flows) == 0 {
		return nil
	}
	pools, of := map[stratum]*pool{}, make([]*pool, len(flows))
	for i, f := range flows {
		h := f.Packets[0].Headers()
		key := stratum{f.Packets[0].LinkType, h.Version, h.Protocol}
		if pools[key] == nil {
			pools[key] = &pool{}
		}
		of[i] = pools[key]
		of[i].add(f, key)
	}
	rng := rand.New(rand.NewPCG(seed, 0x696e646570))
	out := make([]*pcap.Flow, n)
	for i := range out {
		out[i] = of[rng.IntN(len(of))].flow(rng)
	}
	return out
}

func (p *pool) add(f *pcap.Flow, key stratum) {
	p.counts = append(p.counts, len(f.Packets))
	p.labels = append(p.labels, f.Label)
	p.keys = append(p.keys, f.Key)
	p.starts = append(p.starts, f.Packets[0].Time)
	if key.version != 0 && f.Key.Src.IsValid() {
		p.src, p.dst = append(p.src, f.Key.Src), append(p.dst, f.Key.Dst)
		p.sport, p.dport = append(p.sport, f.Key.SrcPort), append(p.dport, f.Key.DstPort)
	}
	for i := range f.Packets {
		h := f.Packets[i].Headers()
		if i > 0 {
			p.intervals = append(p.intervals, f.Packets[i].Time.Sub(f.Packets[i-1].Time))
		}
		// Packets of another kind (an ICMP error in a UDP flow) lend nothing.
		if (stratum{f.Packets[i].LinkType, h.Version, h.Protocol}) == key {
			p.packets, p.headers = append(p.packets, &f.Packets[i]), append(p.headers, h)
			p.outgoing = append(p.outgoing, f.Outgoing(i))
		}
	}
}

// pick draws one of a list.
func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// flow draws one flow.
func (p *pool) flow(rng *rand.Rand) *pcap.Flow {
	f := &pcap.Flow{Label: pick(rng, p.labels), Key: pick(rng, p.keys), Source: "independent fields"}
	if len(p.src) > 0 {
		f.Key.Src, f.Key.Dst = pick(rng, p.src), pick(rng, p.dst)
		f.Key.SrcPort, f.Key.DstPort = pick(rng, p.sport), pick(rng, p.dport)
	}
	// Anywhere within an hour of a start: starts themselves would be copied stamps.
	at := pick(rng, p.starts).Add(time.Duration(rng.Int64N(int64(time.Hour))))
	for i := range pick(rng, p.counts) {
		if i > 0 && len(p.intervals) > 0 {
			at = at.Add(pick(rng, p.intervals))
		}
		k := rng.IntN(len(p.packets))
		one := *p.packets[k]
		one.Data, one.Time = slices.Clone(one.Data), at
		p.fill(rng, f, one.Data, p.headers[k], pick(rng, p.outgoing))
		f.Packets = append(f.Packets, one)
	}
	return f
}

// other is a packet of the pool to take a field from.
func (p *pool) other(rng *rand.Rand) ([]byte, pcap.Headers) {
	k := rng.IntN(len(p.packets))
	return p.packets[k].Data, p.headers[k]
}

// fill draws the header fields of one packet, whose bytes are b.
func (p *pool) fill(rng *rand.Rand, f *pcap.Flow, b []byte, h pcap.Headers, outgoing bool) {
	if h.Version == 0 || !f.Key.Src.IsValid() {
		return
	}
	src, dst, sport, dport := f.Key.Src, f.Key.Dst, f.Key.SrcPort, f.Key.DstPort
	if !outgoing {
		src, dst, sport, dport = dst, src, dport, sport
	}
	lend := func(offset, n int, transport bool) {
		from, to := h.Network+offset, 0
		data, g := p.other(rng)
		if to = g.Network + offset; transport {
			if from, to = h.Transport+offset, g.Transport+offset; g.Transport < 0 {
				return
			}
		}
		if from+n <= len(b) && to+n <= len(data) {
			copy(b[from:from+n], data[to:to+n])
		}
	}
	if h.Version == 4 {
		lend(8, 1, false) // time to live
		lend(4, 2, false) // identification
		copy(b[h.Network+12:h.Network+16], src.AsSlice())
		copy(b[h.Network+16:h.Network+20], dst.AsSlice())
	} else {
		lend(7, 1, false) // hop limit
		copy(b[h.Network+8:], src.AsSlice())
		copy(b[h.Network+24:], dst.AsSlice())
	}
	if h.Transport < 0 || h.Protocol != 6 && h.Protocol != 17 || h.Transport+4 > len(b) {
		return
	}
	binary.BigEndian.PutUint16(b[h.Transport:], sport)
	binary.BigEndian.PutUint16(b[h.Transport+2:], dport)
	if h.Protocol == 6 {
		lend(4, 4, true)  // sequence number
		lend(8, 4, true)  // acknowledgement number
		lend(13, 1, true) // flags
		lend(14, 2, true) // window
	}
}
