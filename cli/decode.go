package cli

import (
	"fmt"
	"time"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// decodeFlags are the flags of decode.
type decodeFlags struct {
	o                  tokenizer.RestoreOptions
	list, check, quiet bool
}

func decodeCommand() command {
	return command{
		name: "decode", summary: "a corpus back to the captures, byte for byte", usage: "[flags] IN BACK",
		text: `
Restores the files of a corpus, byte for byte. A corpus of one file is restored
to the file BACK (or into it, if BACK is a folder), several files into the
folder BACK.`,
		example: "trafficgpt decode all.corpus back/",
		prepare: func(f *flags) func(*call) error {
			d := &decodeFlags{}
			f.BoolVar(&d.list, "list", false, "show what is in the corpus; no BACK")
			f.BoolVar(&d.check, "check", false, "read everything and name what is damaged; no BACK")
			f.StringVar(&d.o.Only, "only", "", "restore only the file of this `NAME`, to the file BACK")
			f.BoolVar(&d.o.Plain, "plain", false, "restore what is inside .gz and .zst files")
			f.BoolVar(&d.o.Salvage, "salvage", false, "leave out what is damaged instead of leaving out the file")
			f.BoolVar(&d.quiet, "q", false, "say nothing")
			return d.run
		},
	}
}

func (d *decodeFlags) run(c *call) error {
	want := 2
	if d.list || d.check {
		want = 1
	}
	if len(c.args) != want {
		return wrong("%d names are needed, %d were given", want, len(c.args))
	}
	k, err := tokenizer.OpenCorpus(c.args[0])
	if err != nil {
		return err
	}
	defer k.Close()
	for _, damage := range k.Damage {
		fmt.Fprintf(c.stderr, "warning: %s\n", damage)
	}
	switch {
	case d.list:
		fmt.Fprintln(c.stdout, k.Table())
		return nil
	case d.check:
		return verify(c, k)
	}
	c.interruptible()
	leave := enter(c)
	defer leave()
	begin := time.Now()
	done, err := k.RestoreTo(c.args[1], d.o)
	if err == nil && !d.quiet {
		fmt.Fprintf(c.stdout, "%s: %d files, %s in %.2f s\n", c.args[1], done.Files, pcap.Bytes(done.Bytes), time.Since(begin).Seconds())
	}
	return err
}

func verify(c *call, k *tokenizer.Corpus) error {
	all := k.Verify()
	for _, e := range all {
		fmt.Fprintln(c.stderr, e)
	}
	if len(all) > 0 {
		return exitCode(exitFailed)
	}
	fmt.Fprintf(c.stdout, "%s: %d files, all sound\n", k.Path, len(k.Files()))
	return nil
}

// enter makes the call's context that of the library, which takes it from where
// it finds a cell's.
func enter(c *call) (leave func()) { return display.Enter(c.ctx, nil) }
