package pcap

import (
	"path/filepath"
	"testing"
)

// BenchmarkAssembler sorts the packets of whole captures into flows; a packet
// whose flow is known must not allocate.
func BenchmarkAssembler(b *testing.B) {
	files, _ := filepath.Glob("../../../shared/data/captures/*")
	if len(files) == 0 {
		b.Skip("no captures in ../shared/data beside the repository")
	}
	var packets []Packet
	for _, path := range files {
		if c, err := Read(path); err == nil {
			packets = append(packets, c.Packets...)
		}
	}
	for name, through := range map[string]Through{"tags": Tags, "tunnels": Tunnels} {
		b.Run(name, func(b *testing.B) {
			a := NewAssembler(AssemblerOptions{FlowOptions: FlowOptions{Through: through}})
			b.ReportAllocs()
			for b.Loop() {
				for i := range packets {
					p := &packets[i]
					a.Add(p.LinkType, p.Data, p.Time.Unix(), uint32(p.Time.Nanosecond()))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(packets)), "ns/packet")
		})
	}
}
