package metrics

import (
	"fmt"

	"trafficgpt/tokenizer/pcap"
)

// Breach is how many flows break a rule.
type Breach struct {
	Rule            string // one of ValidityReport
	Flows, Broken   int    // flows that the rule applies to, and those that break it at least once
	Checked, Passed int    // packets or connections, as in ValidityReport
}

// PerThousand is how many of 1,000 flows that the rule applies to break it, 0 when
// it applies to none.
func (b Breach) PerThousand() float64 { return 1000 * share(b.Broken, b.Flows) }

// String says the rule and the flows.
func (b Breach) String() string {
	return fmt.Sprintf("%s: broken by %d of %d flows (%.1f of 1,000)", b.Rule, b.Broken, b.Flows, b.PerThousand())
}

// Breaches counts the flows that break the rules of Validity, one a rule, in its
// order. Equal distributions break as many as real traffic does, which is not
// none: checksums left to the network card, connections already under way.
func Breaches(flows []*pcap.Flow) []Breach { return check(flows) }
