package tokenizer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"trafficgpt/tokenizer/pcap"
)

// tshark lists the packets of a file: time, captured length, length on the wire.
// ok is false when tshark could not read the file to its end.
func tshark(t *testing.T, path string) (lines []string, ok bool) {
	t.Helper()
	cmd := exec.Command("tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len")
	out, err := cmd.Output()
	text := strings.TrimSuffix(string(out), "\n")
	if text == "" {
		return nil, err == nil
	}
	return strings.Split(text, "\n"), err == nil
}

// ours lists the same.
func ours(c *pcap.Capture) []string {
	var lines []string
	for _, p := range c.Packets {
		lines = append(lines, fmt.Sprintf("%d.%09d\t%d\t%d", p.Time.Unix(), p.Time.Nanosecond(), len(p.Data), p.Length))
	}
	return lines
}

// What comes back from a corpus, and what is written from flows, is for tshark
// what it is for us.
func TestAgreesWithTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	files := data(t, "weird/*")
	files = append(files, data(t, "captures/*")...)
	if os.Getenv("TRAFFICGPT_LONG") == "" {
		// One of each kind; TRAFFICGPT_LONG=1 takes all.
		var some []string
		for _, name := range []string{"test201", "pfcp", "gap-data", "nfsv2", "ts-max", "usec-over", "brcm-tag-stp", "vsock", "hoobr_chdlc", "huge-caplen"} {
			for _, path := range files {
				if strings.Contains(path, name) {
					some = append(some, path)
					break
				}
			}
		}
		files = some
	}
	dir := t.TempDir()
	for _, path := range files {
		if why := apart(path); why != "" {
			t.Logf("%s: %s", path, why)
			continue
		}
		if err := EncodeFile(path, filepath.Join(dir, "corpus")); err != nil {
			t.Fatal(err)
		}
		back := filepath.Join(dir, "back"+filepath.Ext(path))
		if err := DecodeFile(filepath.Join(dir, "corpus"), back); err != nil {
			t.Fatal(err)
		}
		theirs, whole := tshark(t, back)
		c, err := pcap.Read(back)
		if err != nil {
			if len(theirs) > 0 {
				t.Errorf("%s: tshark reads %d packets, we say %v", path, len(theirs), err)
			}
			continue
		}
		mine := ours(c)
		if whole && len(theirs) != len(mine) || len(theirs) > len(mine) {
			t.Errorf("%s: tshark reads %d packets, we read %d", path, len(theirs), len(mine))
			continue
		}
		for i := range theirs {
			if theirs[i] != mine[i] && !known(theirs[i], mine[i]) {
				t.Errorf("%s: packet %d is %q for tshark, %q for us", path, i+1, theirs[i], mine[i])
				break
			}
		}
		if strings.HasPrefix(filepath.Base(path), "synthetic") || len(c.Packets) == 0 {
			continue
		}
		if len(theirs) == 0 && !whole { // a link type that this tshark does not know
			continue
		}
		// Written from the flows.
		if err := pcap.WriteFlows(back, c.Flows()); err != nil {
			continue // times that a capture file does not hold
		}
		if again, whole := tshark(t, back); !whole || len(again) != len(mine) {
			t.Errorf("%s: written from its flows, tshark reads %d packets, want %d (to the end: %v)", path, len(again), len(mine), whole)
		}
	}
}

// known are the differences that are meant: we never say that a packet is
// shorter on the wire than captured, and tshark gives simple packet blocks no time.
func known(theirs, mine string) bool {
	a, b := strings.Split(theirs, "\t"), strings.Split(mine, "\t")
	if len(a) != 3 || a[1] != b[1] {
		return false
	}
	if a[0] != b[0] && a[0] != "" && carried(a[0]) != b[0] {
		return false
	}
	return a[2] == b[2] || b[2] == b[1]
}

// carried brings a fraction of more than a second, which tshark prints as it
// stands in the file, into the seconds, as we do.
func carried(t string) string {
	sec, frac, _ := strings.Cut(t, ".")
	s, err1 := strconv.ParseInt(sec, 10, 64)
	f, err2 := strconv.ParseInt(frac, 10, 64)
	if err1 != nil || err2 != nil {
		return t
	}
	return fmt.Sprintf("%d.%09d", s+f/1e9, f%1e9)
}

// apart says why tshark's account of a file cannot be ours; each was looked at.
func apart(path string) string {
	for prefix, why := range map[string]string{
		"atm-":                       "tshark takes the pseudo-header off before it counts",
		"fuzz-2021-06-07-c6c72a0a56": "tshark prints times and lengths of more than 31 bits as negative ones",
		"rx_serviceid_oobr":          "tshark prints times of more than 31 bits as negative ones",
		"synthetic-short-magic":      "tshark takes three bytes of text for a file of its own kind",
		"test017-":                   "tshark counts custom blocks as packets",
		"test018-":                   "tshark counts custom blocks as packets",
	} {
		if strings.HasPrefix(filepath.Base(path), prefix) {
			return why
		}
	}
	return ""
}
