package classify

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer/pcap"
)

const (
	firstSizes = 20
	firstTimes = 10
	// noTime stands for the logarithm of a time or rate that there is none of;
	// a time of a nanosecond or less, 0 and backwards included, has −9.
	noTime = -10
	// noNumber stands for a header field that no packet has.
	noNumber = -1
)

// The directions of packets.
const (
	both = iota
	outgoing
	incoming
)

var directions = [...]string{"", " out", " in"}

// FeatureNames names the columns of Features, in order, with units.
func FeatureNames() []string {
	return slices.Clone(featureNames)
}

var featureNames = func() []string {
	var c columns
	c.flow(&pcap.Flow{})
	return c.names
}()

// Features are what a flow looks like without its bytes: packets and bytes,
// sizes, intervals, rates, bursts, and of headers the TCP flags, the TTL or hop
// limit, the TCP window and the IP protocol; no addresses and no ports. Out is
// from the initiator, in towards it. f1 to f6 are metrics.FlowFeatures, where
// the packets of either direction are. Sizes are bytes on the wire, link header
// included. Logarithms are base 10, times in seconds.
//
// Nothing is NaN or infinite. What there is none of is 0 for counts, sizes and
// deviations, −10 for logarithms of times and rates, −1 for header fields. A time
// of 1 ns or less, which may be 0 or backwards, is −9.
func Features(f *pcap.Flow) []float64 {
	if f == nil {
		f = &pcap.Flow{}
	}
	c := columns{names: featureNames[:0:0], values: make([]float64, 0, len(featureNames))}
	c.flow(f)
	return c.values
}

// columns collects names and values side by side, so that they cannot go out
// of step.
type columns struct {
	names  []string
	values []float64
}

func (c *columns) add(name string, v float64) {
	c.names, c.values = append(c.names, name), append(c.values, v)
}

func (c *columns) flow(f *pcap.Flow) {
	out := make([]bool, len(f.Packets))
	for i := range out {
		out[i] = f.Outgoing(i)
	}
	f6 := metrics.FlowFeatures(f)
	for i, name := range []string{"f1 packets in", "f2 fraction of packets out", "f3 fraction of packets in", "f4 sd of the places of packets out",
		"f5 packets out", "f6 concentration of packets out"} {
		c.add(name, f6[i])
	}
	c.sizes(f, out)
	c.times(f, out)
	c.bursts(f, out)
	c.headers(f, out)
	for i := range firstSizes {
		signed := 0.0
		if i < len(out) {
			if signed = float64(f.Packets[i].Length); !out[i] {
				signed = -signed
			}
		}
		c.add(fmt.Sprintf("size of packet %d, + out − in, bytes", i+1), signed)
	}
	for i := range firstTimes {
		v := float64(noTime)
		if i+1 < len(out) {
			v = logSeconds(interval(f, i, i+1))
		}
		c.add(fmt.Sprintf("interval before packet %d, log10 s", i+2), v)
	}
}

// sizes adds bytes by direction and how the sizes of packets are distributed.
func (c *columns) sizes(f *pcap.Flow, out []bool) {
	var sizes [3][]float64
	var sums [3]float64
	for i, o := range out {
		for _, d := range []int{both, direction(o)} {
			size := float64(f.Packets[i].Length)
			sizes[d], sums[d] = append(sizes[d], size), sums[d]+size
		}
	}
	c.add("bytes out", sums[outgoing])
	c.add("bytes in", sums[incoming])
	c.add("fraction of bytes out", sums[outgoing]/max(1, sums[both]))
	for d, name := range directions {
		slices.Sort(sizes[d])
		c.spread("size"+name+", bytes", sizes[d], 0)
		for _, q := range []int{25, 50, 75} {
			v := 0.0
			if n := len(sizes[d]); n > 0 {
				v = sizes[d][(n-1)*q/100]
			}
			c.add(fmt.Sprintf("quantile %d %% of size%s, bytes", q, name), v)
		}
	}
}

// spread adds mean, deviation, least and most.
func (c *columns) spread(what string, v []float64, none float64) {
	m, sd, least, most := none, 0.0, none, none
	if len(v) > 0 {
		m, least, most = mean(v), slices.Min(v), slices.Max(v)
		for _, x := range v {
			sd += (x - m) * (x - m)
		}
		sd = math.Sqrt(sd / float64(len(v)))
	}
	c.add("mean "+what, m)
	c.add("sd of "+what, sd)
	c.add("least "+what, least)
	c.add("most "+what, most)
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

func direction(out bool) int {
	if out {
		return outgoing
	}
	return incoming
}

func interval(f *pcap.Flow, i, j int) time.Duration { return f.Packets[j].Time.Sub(f.Packets[i].Time) }

func logSeconds(d time.Duration) float64 { return math.Log10(max(1e-9, d.Seconds())) }

// times adds how intervals are distributed (those of a direction are between
// its own packets), the duration and the rates.
func (c *columns) times(f *pcap.Flow, out []bool) {
	var logs [3][]float64
	last := [3]int{-1, -1, -1}
	bytes := 0.0
	for i, o := range out {
		for _, d := range []int{both, direction(o)} {
			if last[d] >= 0 {
				logs[d] = append(logs[d], logSeconds(interval(f, last[d], i)))
			}
			last[d] = i
		}
		bytes += float64(f.Packets[i].Length)
	}
	for d, name := range directions {
		c.spread("interval"+name+", log10 s", logs[d], noTime)
	}
	duration, packetRate, byteRate := float64(noTime), float64(noTime), float64(noTime)
	if n := len(out); n > 1 {
		duration = logSeconds(interval(f, 0, n-1))
		packetRate = math.Log10(float64(n)) - duration
		byteRate = math.Log10(max(1, bytes)) - duration
	}
	c.add("duration, log10 s", duration)
	c.add("rate, log10 packets/s", packetRate)
	c.add("rate, log10 bytes/s", byteRate)
}

// bursts adds the runs of packets of one direction.
func (c *columns) bursts(f *pcap.Flow, out []bool) {
	count, packets, bytes := 0, 0, 0.0
	longest, largest := 0, 0.0
	for i, o := range out {
		if i == 0 || o != out[i-1] {
			count, packets, bytes = count+1, 0, 0
		}
		packets, bytes = packets+1, bytes+float64(f.Packets[i].Length)
		longest, largest = max(longest, packets), max(largest, bytes)
	}
	c.add("bursts", float64(count))
	c.add("mean burst, packets", float64(len(out))/float64(max(1, count)))
	c.add("longest burst, packets", float64(longest))
	c.add("largest burst, bytes", largest)
}

var flagNames = [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

// headers adds what is taken of IP and TCP headers.
func (c *columns) headers(f *pcap.Flow, out []bool) {
	var flags [8]int
	var ttl, window [3][]float64
	protocol := noNumber
	for i, o := range out {
		p := &f.Packets[i]
		h := p.Headers()
		switch h.Version {
		case 4:
			ttl[direction(o)] = append(ttl[direction(o)], float64(p.Data[h.Network+8]))
		case 6:
			ttl[direction(o)] = append(ttl[direction(o)], float64(p.Data[h.Network+7]))
		default:
			continue
		}
		if protocol == noNumber {
			protocol = int(h.Protocol)
		}
		if h.Protocol != 6 || h.Transport < 0 || h.Fragment != pcap.FragmentNone {
			continue
		}
		segment := p.Data[h.Transport:]
		for b := range flags {
			flags[b] += int(segment[13] >> b & 1)
		}
		window[direction(o)] = append(window[direction(o)], float64(binary.BigEndian.Uint16(segment[14:])))
	}
	for b, name := range flagNames {
		c.add("packets with "+name, float64(flags[b]))
	}
	for d := outgoing; d <= incoming; d++ {
		c.add("mean TTL or hop limit"+directions[d], meanOr(ttl[d], noNumber))
	}
	for d := outgoing; d <= incoming; d++ {
		c.add("mean TCP window"+directions[d]+", unscaled", meanOr(window[d], noNumber))
	}
	c.add("IP protocol, number", float64(protocol))
}

func meanOr(v []float64, none float64) float64 {
	if len(v) == 0 {
		return none
	}
	return mean(v)
}
