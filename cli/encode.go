package cli

import (
	"fmt"
	"os"
	"time"

	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// encodeFlags are the flags of encode.
type encodeFlags struct {
	o                              tokenizer.CorpusOptions
	appends, tunnels, force, quiet bool
}

func encodeCommand() command {
	return command{
		name: "encode", summary: "captures to a corpus of tokens, losslessly", usage: "[flags] IN... OUT",
		text: `
Puts captures into one corpus file: their flows as tokens, and beside them all
that is needed to restore every file byte for byte. IN is a capture (pcap,
pcapng, also .gz and .zst), any other file, or a folder.`,
		example: "trafficgpt encode web.pcap dns.pcapng.gz night/ all.corpus",
		prepare: func(f *flags) func(*call) error {
			e := &encodeFlags{}
			f.BoolVar(&e.appends, "append", false, "add to the corpus OUT instead of making a new one")
			f.BoolVar(&e.o.Pack, "pack", false, "compress the tokens (smaller, and slower to write)")
			f.BoolVar(&e.tunnels, "tunnels", false, "flows are those inside GRE, VXLAN, Geneve, GTP-U and IP-in-IP")
			f.DurationVar(&e.o.Flows.Idle, "idle", 0, "a pause of this `DURATION` ends a flow, such as 120s (0: never)")
			f.DurationVar(&e.o.Flows.Active, "active", 0, "a flow that has lasted this `DURATION` is ended, such as 1800s (0: never)")
			f.IntVar(&e.o.Workers, "workers", 0, "read `N` files at a time (0: one a processor)")
			f.BoolVar(&e.force, "f", false, "overwrite OUT even if it is no corpus")
			f.BoolVar(&e.quiet, "q", false, "say nothing")
			return e.run
		},
	}
}

func (e *encodeFlags) run(c *call) error {
	switch {
	case len(c.args) < 2:
		return wrongUse{"at least one IN and an OUT are needed"}
	case e.o.Flows.Idle < 0:
		return wrong("--idle is negative: %v", e.o.Flows.Idle)
	case e.o.Flows.Active < 0:
		return wrong("--active is negative: %v", e.o.Flows.Active)
	case e.o.Workers < 0:
		return wrong("--workers is negative: %d", e.o.Workers)
	}
	ins, out := c.args[:len(c.args)-1], c.args[len(c.args)-1]
	if err := mayWrite(ins, out, e.force || e.appends); err != nil {
		return err
	}
	if e.tunnels {
		e.o.Flows.Through = pcap.Tunnels
	}
	c.interruptible()
	leave := enter(c)
	defer leave()
	begin := time.Now()
	open := tokenizer.CreateCorpus
	if e.appends {
		open = tokenizer.AppendCorpus
	}
	w, err := open(out, e.o)
	if err != nil {
		return err
	}
	before := len(w.Files())
	if err := w.Add(ins...); err != nil {
		w.Abort()
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if !e.quiet {
		report(c, out, w.Files()[before:], time.Since(begin))
	}
	return nil
}

// mayWrite refuses to overwrite what was hardly meant: an input, or a file that is no corpus.
func mayWrite(ins []string, out string, force bool) error {
	st, err := os.Stat(out)
	if err != nil {
		return nil // the rest comes when it is written
	}
	if st.IsDir() {
		return fmt.Errorf("%s is a folder; OUT, the last name, is the corpus file to write", out)
	}
	for _, in := range ins {
		if other, err := os.Stat(in); err == nil && os.SameFile(st, other) {
			return fmt.Errorf("%s is to be read and written", out)
		}
	}
	if force || st.Size() == 0 {
		return nil
	}
	corpus, err := tokenizer.IsCorpus(out)
	if err == nil && !corpus {
		err = fmt.Errorf("%s exists and is no corpus; -f overwrites it", out)
	}
	return err
}

// maxSaid is how many warnings a command prints.
const maxSaid = 10

// report says what has been taken in.
func report(c *call, out string, files []tokenizer.FileInfo, took time.Duration) {
	var packets, flows, tokens, size int64
	said := 0
	for _, f := range files {
		packets, flows, tokens, size = packets+f.Packets, flows+f.Flows, tokens+f.Tokens, size+f.Size
		for _, m := range f.Warnings {
			if said++; said <= maxSaid {
				fmt.Fprintf(c.stderr, "warning: %s\n", m)
			}
		}
	}
	if said > maxSaid {
		fmt.Fprintf(c.stderr, "and %d more warnings; decode --list shows them\n", said-maxSaid)
	}
	var written int64
	if st, err := os.Stat(out); err == nil {
		written = st.Size()
	}
	fmt.Fprintf(c.stdout, "%s: %d files, %s; %d packets in %d flows, %d tokens; %s in %.2f s\n", out, len(files),
		pcap.Bytes(size), packets, flows, tokens, pcap.Bytes(written), took.Seconds())
}
