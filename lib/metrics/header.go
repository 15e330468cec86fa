package metrics

import (
	"hash/fnv"
	"math"
	"net/netip"

	"trafficgpt/tokenizer/pcap"
)

var headerFields = []field{
	{name: "sport"}, {name: "dport"}, {name: "src"}, {name: "dst"}, {name: "len"}, {name: "TTL"},
	{name: "src by rank", ranked: true}, {name: "dst by rank", ranked: true},
}

// HeaderJSD compares the header fields of packets: source and destination
// port, source and destination address, length and TTL, each value of them a
// bin, addresses by their /16 network (IPv6: /32). Length is that of the IP
// packet, TTL the hop limit of IPv6. Packets without a field have a bin of their
// own. Beside the mean, addresses are also compared by rank: how often the most
// frequent one comes, the second, and so on, whatever they are.
func HeaderJSD(real, generated []*pcap.Flow, o ...Options) *JSDReport {
	c := newComparison(headerFields, real, generated, headers)
	r := c.report("Header fields: real against generated", 2, options(o))
	r.Packets = [2]int{packets(real), packets(generated)}
	return r
}

func headers(f *pcap.Flow) [][]int64 {
	out := make([][]int64, len(headerFields))
	for i := range f.Packets {
		v := look(&f.Packets[i])
		row := [...]int64{absent, absent, absent, absent, absent, absent, absent, absent}
		if v.ports {
			row[0], row[1] = int64(v.sport), int64(v.dport)
		}
		if v.Version != 0 {
			row[2], row[3] = network(v.src), network(v.dst)
			row[4], row[5] = int64(v.length), int64(v.ttl)
			row[6], row[7] = whole(v.src), whole(v.dst)
		}
		for k, x := range row {
			out[k] = append(out[k], x)
		}
	}
	return out
}

// network is the /16 of an IPv4 address, the /32 of an IPv6 one.
func network(a netip.Addr) int64 {
	b := a.AsSlice()
	if len(b) == 4 {
		return int64(b[0])<<8 | int64(b[1])
	}
	return 1<<40 | int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
}

func whole(a netip.Addr) int64 {
	h := fnv.New64a()
	h.Write(a.AsSlice())
	return int64(h.Sum64())
}

var flowFields = []field{
	{name: "f1 incoming packets"}, {name: "f2 outgoing fraction"}, {name: "f3 incoming fraction"},
	{name: "f4 spread of outgoing order"}, {name: "f5 outgoing packets"}, {name: "f6 sum of outgoing concentration"},
}

// FlowFeatures are the six features of flows that the paper compares, after
// k-fingerprinting (Hayes and Danezis 2016); incoming is towards the initiator.
//
//	f1 number of incoming packets
//	f2 outgoing packets / packets
//	f3 incoming packets / packets
//	f4 standard deviation of the indices of the outgoing packets (over n, not n-1)
//	f5 number of outgoing packets
//	f6 sum of the alternative concentration list: outgoing packets counted in
//	   chunks of 20 packets, the list of counts cut into 20 parts, each summed
//
// By these definitions f2 + f3 = 1 and f6 = f5, so their divergences agree up
// to the bins; the paper's do not.
func FlowFeatures(f *pcap.Flow) [6]float64 {
	n := len(f.Packets)
	if n == 0 {
		return [6]float64{}
	}
	var order, chunks []float64
	for i := range f.Packets {
		if i%20 == 0 {
			chunks = append(chunks, 0)
		}
		if f.Outgoing(i) {
			order = append(order, float64(i))
			chunks[len(chunks)-1]++
		}
	}
	out := float64(len(order))
	return [6]float64{float64(n) - out, out / float64(n), 1 - out/float64(n), spread(order), out, concentration(chunks)}
}

func spread(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	m, s := mean(v), 0.
	for _, x := range v {
		s += (x - m) * (x - m)
	}
	return math.Sqrt(s / float64(len(v)))
}

// concentration cuts the list into 20 parts, sums each, and sums the sums.
func concentration(chunks []float64) float64 {
	s := 0.
	for p := range 20 {
		part := 0.
		for _, c := range chunks[p*len(chunks)/20 : (p+1)*len(chunks)/20] {
			part += c
		}
		s += part
	}
	return s
}

// FlowJSD compares the flow features f1 to f6 (see FlowFeatures). Bins: counts
// and f4 one wide to 64, then powers of two; fractions 50 equal bins of [0,1].
func FlowJSD(real, generated []*pcap.Flow, o ...Options) *JSDReport {
	c := newComparison(flowFields, real, generated, func(f *pcap.Flow) [][]int64 {
		x := FlowFeatures(f)
		out := make([][]int64, len(x))
		for k, v := range x {
			bin := countBin(int(v))
			if k == 1 || k == 2 {
				bin = fractionBin(v)
			}
			out[k] = []int64{bin}
		}
		return out
	})
	r := c.report("Flow features: real against generated", 0, options(o))
	r.Packets = [2]int{packets(real), packets(generated)}
	return r
}

// fractionBin is one of 50 equal bins of [0,1]; 1 belongs to the last.
func fractionBin(v float64) int64 { return int64(min(49, math.Floor(v*50+1e-9))) }

var timeFields = []field{
	{name: "interval between packets"}, {name: "duration of the flow"},
	{name: "packets of a burst"}, {name: "gap between bursts"}, {name: "packets a second"},
}

// TimeJSD compares the times between the packets of a flow and the durations
// of flows, in eight bins a decade; 0 and negative times have bins of their own.
// More has, beside the mean of these two, bursts (packets of one direction in a
// row, exact to 64 and then by powers of two), the gaps between bursts, and the
// packets a second of flows that last (both in eight bins a decade).
func TimeJSD(real, generated []*pcap.Flow, o ...Options) *JSDReport {
	c := newComparison(timeFields, real, generated, func(f *pcap.Flow) [][]int64 {
		t := Times([]*pcap.Flow{f})
		out := [][]int64{bin(t.Intervals, timeBin), {absent}, nil, bin(t.BurstGaps, timeBin), bin(t.Rates, timeBin)}
		for _, n := range t.BurstSizes {
			out[2] = append(out[2], countBin(int(n)))
		}
		if n := len(f.Packets); n > 0 {
			out[1][0] = timeBin(f.Packets[n-1].Time.Sub(f.Packets[0].Time).Seconds())
		}
		return out
	})
	r := c.report("Times: real against generated", 3, options(o))
	r.Packets = [2]int{packets(real), packets(generated)}
	return r
}

func bin(values []float64, of func(float64) int64) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = of(v)
	}
	return out
}

var shapeFields = []field{{name: "packet length"}, {name: "directions in a row"}}

// ShapeJSD compares the lengths of packets on the wire, each a bin of its own, and
// in what order the two sides speak: for each packet, who sent it and the three
// before it (16 bins, and 14 for the first three packets of a flow).
func ShapeJSD(real, generated []*pcap.Flow, o ...Options) *JSDReport {
	c := newComparison(shapeFields, real, generated, func(f *pcap.Flow) [][]int64 {
		out := make([][]int64, 2)
		turn := int64(1) // a 1, then a bit a packet
		for i := range f.Packets {
			out[0] = append(out[0], int64(f.Packets[i].Length))
			if turn <<= 1; turn >= 32 {
				turn = turn&15 | 16
			}
			if f.Outgoing(i) {
				turn |= 1
			}
			out[1] = append(out[1], turn)
		}
		return out
	})
	r := c.report("Shape: real against generated", 0, options(o))
	r.Packets = [2]int{packets(real), packets(generated)}
	return r
}

func timeBin(seconds float64) int64 {
	switch {
	case seconds == 0:
		return absent + 1
	case seconds < 0:
		return absent + 2
	}
	return int64(math.Floor(8 * math.Log10(seconds)))
}
