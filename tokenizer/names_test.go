package tokenizer_test

import (
	"strings"
	"testing"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// The lab's TLS flows ask for one name each; it is the one that the masks hide.
func TestServerNames(t *testing.T) {
	flows := dataset.Lab().Only("tls").Flows
	named := 0
	for _, f := range flows {
		names := tokenizer.ServerNames(f)
		if len(names) > 1 {
			t.Errorf("%s asks for %q", f, names)
		}
		for _, n := range names {
			named++
			if strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || !strings.Contains(n, ".") {
				t.Errorf("%q is no name", n)
			}
		}
		if masked := tokenizer.ServerNames(dataset.MaskFlow(f, 3)); len(masked) != 0 {
			t.Errorf("masked, it still asks for %q", masked)
		}
	}
	if named < len(flows)/2 {
		t.Errorf("%d of %d flows have a name", named, len(flows))
	}
	if len(tokenizer.ServerNames(&pcap.Flow{})) != 0 {
		t.Error("a flow without packets asks for a name")
	}
}
