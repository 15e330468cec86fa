package classify

import (
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// FirstBytes are the first n bytes of the flow's packets, one packet behind the
// other: captured bytes, link header included, as numbers 0 to 255, and −1 past
// the end.
func FirstBytes(f *pcap.Flow, n int) []float64 {
	out := make([]float64, 0, max(n, 0))
	if f != nil {
		for i := range f.Packets {
			for _, b := range f.Packets[i].Data {
				if len(out) >= n {
					return out
				}
				out = append(out, float64(b))
			}
		}
	}
	for len(out) < n {
		out = append(out, -1)
	}
	return out
}

// ByteNames says of each of the numbers of FirstBytes which field of which
// layer it is in this flow, "IPv4 · time to live", as tokenizer.Explain does.
func ByteNames(f *pcap.Flow, n int) []string {
	out := make([]string, 0, max(n, 0))
	if f != nil {
		for i := 0; i < len(f.Packets) && len(out) < n; i++ {
			one := &pcap.Flow{Packets: f.Packets[i : i+1]}
			fields := tokenizer.Explain(tokenizer.Encode(one))
			data := len(fields) - 1 - len(f.Packets[i].Data) // the end token is last
			for _, field := range fields[data:min(len(fields)-1, data+n-len(out))] {
				out = append(out, fieldName(field))
			}
		}
	}
	for len(out) < n {
		out = append(out, "past the end")
	}
	return out
}

// fieldName names the field of a token whatever its packet.
func fieldName(f tokenizer.Field) string { return f.Layer + " · " + f.Name }
