package tokenizer

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// benchFile is the capture of the benchmarks: the file that the environment
// names, or one of 64 MB made for the occasion.
func benchFile(b *testing.B) string {
	if path := os.Getenv("TRAFFICGPT_CAPTURE"); path != "" {
		return path
	}
	path := filepath.Join(b.TempDir(), "bench.pcap")
	return write(b, path, capture(90000, 650))
}

func size(b *testing.B, path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return st.Size()
}

// The yardstick: gopacket's reader, allocating each packet and not, and with
// the layers of each decoded into memory that is used again.
func BenchmarkPlainRead(b *testing.B) {
	path := benchFile(b)
	var (
		eth  layers.Ethernet
		ip4  layers.IPv4
		ip6  layers.IPv6
		tcp  layers.TCP
		udp  layers.UDP
		seen []gopacket.LayerType
	)
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip4, &ip6, &tcp, &udp)
	parser.IgnoreUnsupported = true
	for name, next := range map[string]func(*pcapgo.Reader) error{
		"allocating": func(r *pcapgo.Reader) error { _, _, err := r.ReadPacketData(); return err },
		"zerocopy":   func(r *pcapgo.Reader) error { _, _, err := r.ZeroCopyReadPacketData(); return err },
		"layers": func(r *pcapgo.Reader) error {
			data, _, err := r.ZeroCopyReadPacketData()
			if err == nil {
				_ = parser.DecodeLayers(data, &seen) // what it cannot decode is not the question
			}
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size(b, path))
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				r, err := pcapgo.NewReader(f)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					err = next(r)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}

func BenchmarkEncodeFile(b *testing.B) {
	path := benchFile(b)
	out := filepath.Join(b.TempDir(), "corpus")
	b.SetBytes(size(b, path))
	b.ReportAllocs()
	for b.Loop() {
		if err := EncodeFile(path, out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeFile(b *testing.B) {
	path := benchFile(b)
	dir := b.TempDir()
	if err := EncodeFile(path, filepath.Join(dir, "corpus")); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size(b, path))
	b.ReportAllocs()
	for b.Loop() {
		if err := DecodeFile(filepath.Join(dir, "corpus"), filepath.Join(dir, "back")); err != nil {
			b.Fatal(err)
		}
	}
}
