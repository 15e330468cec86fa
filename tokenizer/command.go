package tokenizer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"trafficgpt/atomicfile"
	"trafficgpt/tokenizer/pcap"
)

const encodeHelp = `usage: trafficgpt encode [options] IN... OUT

Puts captures into one corpus file: their flows as tokens, and beside them all
that is needed to restore every file byte for byte. IN is a capture (pcap,
pcapng, also .gz and .zst), any other file, or a folder.

example:
  trafficgpt encode web.pcap dns.pcapng.gz night/ all.corpus

options:
`

const decodeHelp = `usage: trafficgpt decode [options] IN BACK

Restores the files of a corpus, byte for byte. A corpus of one file is restored
to the file BACK (or into it, if BACK is a folder), several files into the
folder BACK.

example:
  trafficgpt decode all.corpus back/

options:
`

// commandLine holds what the two commands have in common.
type commandLine struct {
	name           string
	flags          *flag.FlagSet
	stdout, stderr io.Writer
	help           string
}

func newCommand(name, help string, stdout, stderr io.Writer) *commandLine {
	c := &commandLine{name: name, flags: flag.NewFlagSet(name, flag.ContinueOnError), stdout: stdout, stderr: stderr, help: help}
	c.flags.SetOutput(io.Discard)
	c.flags.Usage = func() {}
	return c
}

// parse returns the arguments behind the options; done means to leave with code.
func (c *commandLine) parse(args []string) (rest []string, code int, done bool) {
	for {
		err := c.flags.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(c.stdout, c.help)
			c.flags.SetOutput(c.stdout)
			c.flags.PrintDefaults()
			return nil, 0, true
		}
		if err != nil {
			return nil, c.usage(err.Error()), true
		}
		// Options may stand between and behind the names.
		args = c.flags.Args()
		for len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
			rest, args = append(rest, args[0]), args[1:]
		}
		if len(args) == 0 {
			return rest, 0, false
		}
	}
}

func (c *commandLine) usage(problem string) int {
	fmt.Fprintf(c.stderr, "trafficgpt %s: %s (trafficgpt %s -h explains)\n", c.name, problem, c.name)
	return 2
}

func (c *commandLine) fail(err error) int {
	fmt.Fprintf(c.stderr, "trafficgpt %s: %s\n", c.name, strings.ReplaceAll(err.Error(), "\n", "; "))
	return 1
}

// EncodeCommand is the command "encode"; it returns the exit code.
func EncodeCommand(args []string, stdout, stderr io.Writer) int {
	c := newCommand("encode", encodeHelp, stdout, stderr)
	appends := c.flags.Bool("append", false, "add to the corpus OUT instead of making a new one")
	pack := c.flags.Bool("pack", false, "compress the tokens (smaller, and slower to write)")
	tunnels := c.flags.Bool("tunnels", false, "flows are those inside GRE, VXLAN, Geneve, GTP-U and IP-in-IP")
	idle := c.flags.Duration("idle", 0, "a pause of this length ends a flow, such as 120s (0: never)")
	active := c.flags.Duration("active", 0, "a flow that has lasted so long is ended, such as 1800s (0: never)")
	workers := c.flags.Int("workers", runtime.GOMAXPROCS(0), "files to read at a time")
	force := c.flags.Bool("f", false, "overwrite OUT even if it is no corpus")
	quiet := c.flags.Bool("q", false, "say nothing")
	names, code, done := c.parse(args)
	if done {
		return code
	}
	if len(names) < 2 {
		return c.usage("at least one IN and an OUT are needed")
	}
	if *idle < 0 || *active < 0 || *workers < 0 {
		return c.usage("a negative number makes no sense here")
	}
	ins, out := names[:len(names)-1], names[len(names)-1]
	if err := mayWrite(ins, out, *force || *appends); err != nil {
		return c.fail(err)
	}
	o := CorpusOptions{Flows: pcap.FlowOptions{Idle: *idle, Active: *active}, Pack: *pack, Workers: *workers}
	if *tunnels {
		o.Flows.Through = pcap.Tunnels
	}
	begin := time.Now()
	open := CreateCorpus
	if *appends {
		open = AppendCorpus
	}
	w, err := open(out, o)
	if err != nil {
		return c.fail(err)
	}
	ctx, stop := interruptible()
	defer stop()
	w.ctx = ctx
	before := len(w.files)
	if err := w.Add(ins...); err != nil {
		w.Abort()
		return c.fail(err)
	}
	if err := w.Close(); err != nil {
		return c.fail(err)
	}
	if !*quiet {
		w.report(c, before, time.Since(begin))
	}
	return 0
}

// interruptible is done when the process is asked to end, so that what is half
// written can be taken away first.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	f, err := os.Open(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if !force && st.Size() > 0 && checkStart(f, out) != nil {
		return fmt.Errorf("%s exists and is no corpus; -f overwrites it", out)
	}
	return nil
}

// maxSaid is how many warnings a command prints.
const maxSaid = 10

func (w *CorpusWriter) report(c *commandLine, before int, took time.Duration) {
	var packets, flows, tokens, size int64
	said := 0
	for _, f := range w.files[before:] {
		packets, flows, tokens, size = packets+f.Packets, flows+f.Flows, tokens+f.Tokens, size+f.Size
		for _, m := range f.Warnings {
			if said++; said <= maxSaid {
				fmt.Fprintf(c.stderr, "warning: %s\n", m)
			}
		}
	}
	if said > maxSaid {
		fmt.Fprintf(c.stderr, "and %d more warnings; decode -list shows them\n", said-maxSaid)
	}
	fmt.Fprintf(c.stdout, "%s: %d files, %s; %d packets in %d flows, %d tokens; %s in %.2f s\n", w.path, len(w.files)-before,
		pcap.Bytes(size), packets, flows, tokens, pcap.Bytes(w.offset), took.Seconds())
}

// DecodeCommand is the command "decode"; it returns the exit code.
func DecodeCommand(args []string, stdout, stderr io.Writer) int {
	c := newCommand("decode", decodeHelp, stdout, stderr)
	list := c.flags.Bool("list", false, "show what is in the corpus; no BACK")
	check := c.flags.Bool("check", false, "read everything and name what is damaged; no BACK")
	only := c.flags.String("only", "", "restore only the file of this name, to the file BACK")
	plain := c.flags.Bool("plain", false, "restore what is inside .gz and .zst files")
	salvage := c.flags.Bool("salvage", false, "leave out what is damaged instead of leaving out the file")
	quiet := c.flags.Bool("q", false, "say nothing")
	names, code, done := c.parse(args)
	if done {
		return code
	}
	want := 2
	if *list || *check {
		want = 1
	}
	if len(names) != want {
		return c.usage(fmt.Sprintf("%d names are needed, %d were given", want, len(names)))
	}
	k, err := OpenCorpus(names[0])
	if err != nil {
		return c.fail(err)
	}
	defer k.Close()
	for _, d := range k.Damage {
		fmt.Fprintf(stderr, "warning: %s\n", d)
	}
	switch {
	case *list:
		fmt.Fprintln(stdout, k.Table())
		return 0
	case *check:
		all := k.Verify()
		for _, e := range all {
			fmt.Fprintln(stderr, e)
		}
		if len(all) > 0 {
			return 1
		}
		fmt.Fprintf(stdout, "%s: %d files, all sound\n", names[0], len(k.files))
		return 0
	}
	ctx, stop := interruptible()
	defer stop()
	r := restorer{ctx: ctx, k: k, plain: *plain, salvage: *salvage}
	begin := time.Now()
	if err := r.plan(names[1], *only); err != nil {
		return c.fail(err)
	}
	r.run()
	for _, e := range r.errs {
		c.fail(e)
	}
	if len(r.errs) > 0 {
		return 1
	}
	if !*quiet {
		fmt.Fprintf(stdout, "%s: %d files, %s in %.2f s\n", names[1], len(r.targets), pcap.Bytes(r.size), time.Since(begin).Seconds())
	}
	return 0
}

// restorer writes files of a corpus to where they belong.
type restorer struct {
	ctx            context.Context
	k              *Corpus
	plain, salvage bool
	targets        []target

	mu   sync.Mutex
	errs []error
	size int64
}

type target struct {
	file int
	path string
}

// plan decides which files go where.
func (r *restorer) plan(back, only string) error {
	files := r.k.files
	st, err := os.Stat(back)
	isFolder := err == nil && st.IsDir()
	if only != "" {
		for i, f := range files {
			if f.Name == only {
				if isFolder {
					back = filepath.Join(back, filepath.Base(filepath.FromSlash(f.Name)))
				}
				r.targets = []target{{i, back}}
				return nil
			}
		}
		return fmt.Errorf("%s has no file %q (decode -list shows them)", r.k.Path, only)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no file", r.k.Path)
	}
	if len(files) == 1 && !files[0].FromFolder && !isFolder {
		r.targets = []target{{0, back}}
		return nil
	}
	if err == nil && !isFolder {
		return fmt.Errorf("%s is a file; %d files of %s need a folder", back, len(files), r.k.Path)
	}
	for i, f := range files {
		name := filepath.FromSlash(f.Name)
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s has a file of the name %q, which leads out of the folder", r.k.Path, f.Name)
		}
		r.targets = append(r.targets, target{i, filepath.Join(back, name)})
	}
	return nil
}

func (r *restorer) run() {
	next := make(chan target)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(r.targets)) {
		wg.Go(func() {
			for t := range next {
				if err := r.one(t); err != nil {
					r.mu.Lock()
					r.errs = append(r.errs, err)
					r.mu.Unlock()
				}
			}
		})
	}
	for _, t := range r.targets {
		if r.ctx.Err() != nil {
			break
		}
		next <- t
	}
	close(next)
	wg.Wait()
}

func (r *restorer) one(t target) error {
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return err
	}
	var damage []*SectionError
	err := atomicfile.Write(t.path, func(w io.Writer) (err error) {
		n := &counter{ctx: r.ctx, w: w}
		switch {
		case r.salvage:
			damage, err = r.k.Salvage(t.file, n)
		case r.plain:
			err = r.k.RestorePlain(t.file, n)
		default:
			err = r.k.Restore(t.file, n)
		}
		r.mu.Lock()
		r.size += n.n
		r.mu.Unlock()
		return err
	}, atomicfile.Options{Mode: r.k.Mode()})
	if err == nil && len(damage) > 0 {
		err = fmt.Errorf("%s lacks %d pieces: %w", t.path, len(damage), damage[0])
	}
	return err
}

// counter counts what is written, until ctx is done.
type counter struct {
	ctx context.Context
	w   io.Writer
	n   int64
}

func (c *counter) Write(b []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, errInterrupted
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
