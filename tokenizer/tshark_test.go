package tokenizer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"trafficgpt/tokenizer/pcap"
)

// tshark lists the records of a file. trouble is what it says when it cannot
// read the file to its end.
func tshark(t *testing.T, path string) (rows []row, trouble string) {
	t.Helper()
	cmd := exec.Command("tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 {
			t.Fatalf("%s: tshark prints %q", path, line)
		}
		a, err1 := strconv.ParseUint(f[1], 10, 32)
		b, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 != nil || err2 != nil {
			t.Fatalf("%s: tshark prints %q", path, line)
		}
		rows = append(rows, row{f[0], uint32(a), uint32(b)})
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		trouble = strings.TrimPrefix(lines[len(lines)-1], "tshark: ")
	}
	return rows, trouble
}

// compare holds tshark's rows against ours; tshark may stop early only with a reason.
func compare(theirs, mine []row, trouble string) error {
	for i := range min(len(theirs), len(mine)) {
		if theirs[i] != mine[i] {
			return fmt.Errorf("record %d is %q for tshark, %q for us", i+1, theirs[i], mine[i])
		}
	}
	if len(theirs) > len(mine) || len(theirs) < len(mine) && trouble == "" {
		return fmt.Errorf("tshark reads %d records, we read %d %s", len(theirs), len(mine), trouble)
	}
	return nil
}

// otherFormat is the format that the program takes a file for when it is no capture of ours.
func otherFormat(path string) string {
	out, _ := exec.Command("capinfos", "-t", path).Output()
	_, kind, _ := strings.Cut(string(out), "File type:")
	if kind = strings.TrimSpace(kind); strings.Contains(kind, "pcap") {
		return ""
	}
	return kind
}

// tally counts how files fared.
type tally struct {
	sync.Mutex
	equal, weRead, neither, untimely int

	dir     string // for files written anew
	written []rewritten
}

// rewritten is a capture that was written anew, and what should be in it.
type rewritten struct {
	path string
	rows []row
}

func (c *tally) add(n *int) {
	c.Lock()
	*n++
	c.Unlock()
}

// agree holds one file, as it comes back from a corpus and as it is written
// from its flows, against tshark.
func (c *tally) agree(t *testing.T, path string) {
	dir := t.TempDir()
	back := filepath.Join(dir, "back"+filepath.Ext(path))
	if err := EncodeFile(path, filepath.Join(dir, "corpus")); err != nil {
		t.Fatal(err)
	}
	if err := DecodeFile(filepath.Join(dir, "corpus"), back); err != nil {
		t.Fatal(err)
	}
	mine := reckon(t, path, read(t, back))
	theirs, trouble := tshark(t, back)
	if len(theirs) == 0 && strings.Contains(trouble, "network type") && strings.Contains(trouble, "pcap:") {
		// A link type that tshark does not know: all else is compared under one that it does.
		b := read(t, back)
		order(b[0] != 0xd4 && b[0] != 0x4d).PutUint32(b[20:], 147)
		write(t, back, b)
		mine = reckon(t, path, b)
		if theirs, trouble = tshark(t, back); trouble == "" {
			t.Logf("equal but for the link type, which tshark does not know")
		}
	}
	switch {
	case mine.err != nil && len(mine.rows) == 0 && len(theirs) > 0:
		if kind := otherFormat(back); kind != "" {
			t.Logf("no capture to us (%v), %s to tshark", mine.err, kind)
			c.add(&c.neither)
			return
		}
		fallthrough
	default:
		if err := compare(theirs, mine.rows, trouble); err != nil {
			t.Error(err)
		}
	}
	switch {
	case len(theirs) < len(mine.rows):
		t.Logf("we read %d records, tshark %d: %s", len(mine.rows), len(theirs), trouble)
		c.add(&c.weRead)
	case len(theirs) == 0 && trouble != "":
		t.Logf("neither reads it: we say %v, tshark %s", mine.err, trouble)
		c.add(&c.neither)
	default:
		c.add(&c.equal)
	}
	if len(mine.packets) > 0 && len(theirs) == len(mine.rows) {
		c.writeAnew(t, back, filepath.Base(path))
	}
}

// writeAnew writes the flows of a capture to a new one, for later comparison.
func (c *tally) writeAnew(t *testing.T, path, name string) {
	capture, err := pcap.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	flows, to := capture.Flows(), filepath.Join(c.dir, name+".pcap")
	if err := pcap.WriteFlows(to, flows); err != nil {
		t.Logf("not written anew: %v", err)
		c.add(&c.untimely)
		return
	}
	c.Lock()
	c.written = append(c.written, rewritten{to, plainRows(pcap.Merge(flows))})
	c.Unlock()
}

// together holds many sound files against one run of tshark, for which mergecap
// puts them one behind the other.
func together(t *testing.T, what string, files []rewritten) {
	all := filepath.Join(t.TempDir(), "all")
	args := []string{"-a", "-F", "pcapng", "-w", all}
	var rows []row
	for _, f := range files {
		args, rows = append(args, f.path), append(rows, f.rows...)
	}
	if out, err := exec.Command("mergecap", args...).CombinedOutput(); err != nil {
		t.Errorf("%s: mergecap: %v: %s", what, err, out)
		return
	}
	theirs, trouble := tshark(t, all)
	err := compare(theirs, rows, trouble)
	if err == nil && trouble == "" {
		t.Logf("%s: %d packets of %d files are equal", what, len(rows), len(files))
		return
	}
	if len(files) == 1 {
		t.Errorf("%s: %s: %v %s", what, filepath.Base(files[0].path), err, trouble)
		return
	}
	together(t, what, files[:len(files)/2]) // which is it?
	together(t, what, files[len(files)/2:])
	if !t.Failed() {
		t.Errorf("%s: together %v %s, but not alone", what, err, trouble)
	}
}

func needTshark(t *testing.T) (long bool) {
	for _, name := range []string{"tshark", "capinfos", "mergecap"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	return os.Getenv("TRAFFICGPT_LONG") != ""
}

// each runs f for all names, as many at a time as there are processors.
func each(t *testing.T, names []string, f func(t *testing.T, name string)) {
	slots := make(chan bool, runtime.GOMAXPROCS(0))
	t.Run("files", func(t *testing.T) {
		for _, name := range names {
			t.Run(filepath.Base(name), func(t *testing.T) {
				t.Parallel()
				slots <- true
				defer func() { <-slots }()
				f(t, name)
			})
		}
	})
}

// For every file that comes back from a corpus, or is written from flows, the
// number of packets, their times and their lengths are for tshark what they are
// for us. TRAFFICGPT_LONG=1 takes all of captures and weird, and the files named
// in TRAFFICGPT_CAPTURES; the normal run takes one file of each kind.
func TestAgreesWithTshark(t *testing.T) {
	long := needTshark(t)
	files := append(data(t, "weird/*"), data(t, "captures/*")...)
	if !long {
		var some []string
		for _, name := range []string{"test201", "gap-data", "ts-max", "usec-over", "vsock", "hoobr_chdlc", "huge-caplen", "short-magic", "atm-oam", "rx_serviceid", "test018", "c6c72a0a56", "unknown-linktype"} {
			for _, path := range files {
				if strings.Contains(path, name) {
					some = append(some, path)
					break
				}
			}
		}
		files = some
	}
	files = append(files, filepath.SplitList(os.Getenv("TRAFFICGPT_CAPTURES"))...)
	c := tally{dir: t.TempDir()}
	each(t, files, c.agree)
	for chunk := range slices.Chunk(c.written, 50) {
		together(t, "written anew", chunk)
	}
	t.Logf("of %d files %d are equal, %d we read further than tshark, %d neither reads; %d were written anew, %d have times that no capture file holds",
		len(files), c.equal, c.weRead, c.neither, len(c.written), c.untimely)
	if c.equal+c.weRead+c.neither != len(files) && !t.Failed() {
		t.Error("files are missing from the account")
	}
}

// The same for the single-flow captures. tshark starts once for two hundred of
// them.
func TestFlowFilesAgreeWithTshark(t *testing.T) {
	long := needTshark(t)
	files := data(t, "flows/*/*.pcap*")
	if !long {
		files = files[:60]
	}
	var batches []string
	members := map[string][]string{}
	for i := 0; i < len(files); i += 200 {
		name := fmt.Sprintf("batch%d", i/200)
		batches = append(batches, name)
		members[name] = files[i:min(i+200, len(files))]
	}
	each(t, batches, func(t *testing.T, name string) {
		dir := t.TempDir()
		var backs, anew []rewritten
		for i, path := range members[name] {
			corpus, back := filepath.Join(dir, "corpus"), filepath.Join(dir, fmt.Sprintf("b%d", i))
			if err := EncodeFile(path, corpus); err != nil {
				t.Fatal(err)
			}
			if err := DecodeFile(corpus, back); err != nil {
				t.Fatal(err)
			}
			backs = append(backs, rewritten{back, reckon(t, path, read(t, back)).rows})
			capture, err := pcap.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			flows, to := capture.Flows(), filepath.Join(dir, fmt.Sprintf("a%d.pcap", i))
			if err := pcap.WriteFlows(to, flows); err != nil {
				t.Fatal(err)
			}
			anew = append(anew, rewritten{to, plainRows(pcap.Merge(flows))})
		}
		together(t, "restored", backs)
		together(t, "written anew", anew)
	})
}

// Captures that never were: packets decoded from tokens with errors in them, as
// a model makes them, repaired and not, and files of any times and link types.
func TestGeneratedFilesAgreeWithTshark(t *testing.T) {
	long := needTshark(t)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(17, 18))
	rounds := 2
	if long {
		rounds = 12
	}
	files := data(t, "flows/*/*.pcap*")
	for i := range rounds {
		var packets []pcap.Packet
		for range 40 {
			capture, err := pcap.Read(files[rng.IntN(len(files))])
			if err != nil {
				t.Fatal(err)
			}
			tokens := Encode(capture.Flows()[0])
			for range 1 + len(tokens)/200 {
				tokens[rng.IntN(len(tokens))] = uint16(rng.IntN(258))
			}
			made, _ := Decode(tokens[:rng.IntN(len(tokens))+1])
			packets = append(packets, made...)
		}
		if i%2 == 0 {
			packets, _ = RepairAll(packets)
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.pcap", i))
		if err := pcap.Write(path, packets); err != nil {
			t.Logf("%v", err)
			continue
		}
		theirs, trouble := tshark(t, path)
		if err := compare(theirs, plainRows(packets), trouble); err != nil || trouble != "" {
			t.Errorf("round %d: %v %s", i, err, trouble)
		}
	}
}
