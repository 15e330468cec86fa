package main

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"trafficgpt/tokenizer/pcap"
)

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// flows sorts captured frames into labelled bidirectional flows.
func (w *World) flows(frames []Frame) []*pcap.Flow {
	slices.SortStableFunc(frames, func(a, b Frame) int { return a.Time.Compare(b.Time) })
	open := map[pcap.Key]*pcap.Flow{}
	var flows []*pcap.Flow
	for _, f := range frames {
		key, ok := keyOf(f.Data)
		if !ok {
			continue
		}
		back := pcap.Key{Src: key.Dst, Dst: key.Src, SrcPort: key.DstPort, DstPort: key.SrcPort,
			Protocol: key.Protocol, EtherType: key.EtherType}
		flow := open[key]
		if flow == nil {
			flow = open[back]
		}
		if flow == nil {
			label := w.label(key)
			if label == "" {
				continue
			}
			flow = &pcap.Flow{Key: key, Label: label, Group: w.Group, Source: "lab"}
			open[key] = flow
			flows = append(flows, flow)
		}
		flow.Packets = append(flow.Packets, pcap.Packet{
			// Captures count microseconds, as most tools write them.
			Time: f.Time.UTC().Truncate(1000), Data: f.Data, Length: len(f.Data), LinkType: 1})
	}
	return flows
}

// label finds what a flow is by its server port, then by its client port
// (active FTP: the server connects), then by its protocol alone.
func (w *World) label(k pcap.Key) string {
	for _, s := range []service{{k.Protocol, k.DstPort}, {k.Protocol, k.SrcPort}, {k.Protocol, 0}} {
		if l, ok := w.labels[s]; ok {
			return l
		}
	}
	return ""
}

// keyOf reads the 5-tuple of an Ethernet frame; ok is false for frames that
// the corpus leaves out (neighbour discovery).
func keyOf(f []byte) (key pcap.Key, ok bool) {
	if len(f) < 14 {
		return key, false
	}
	key.EtherType = binary.BigEndian.Uint16(f[12:])
	ip := f[14:]
	var transport []byte
	switch key.EtherType {
	case 0x0806:
		if len(ip) < 28 {
			return key, false
		}
		key.Src, _ = netip.AddrFromSlice(ip[14:18])
		key.Dst, _ = netip.AddrFromSlice(ip[24:28])
		return key, true
	case 0x0800:
		if len(ip) < 20 {
			return key, false
		}
		key.Src, _ = netip.AddrFromSlice(ip[12:16])
		key.Dst, _ = netip.AddrFromSlice(ip[16:20])
		key.Protocol = ip[9]
		transport = ip[int(ip[0]&15)*4:]
	case 0x86dd:
		if len(ip) < 40 {
			return key, false
		}
		key.Src, _ = netip.AddrFromSlice(ip[8:24])
		key.Dst, _ = netip.AddrFromSlice(ip[24:40])
		key.Protocol = ip[6]
		transport = ip[40:]
		if key.Protocol == protoICMPv6 && len(transport) > 0 && transport[0] >= 130 {
			return key, false // neighbour and multicast discovery
		}
	default:
		return key, false
	}
	if (key.Protocol == protoTCP || key.Protocol == protoUDP) && len(transport) >= 4 {
		key.SrcPort = binary.BigEndian.Uint16(transport)
		key.DstPort = binary.BigEndian.Uint16(transport[2:])
	}
	return key, true
}
