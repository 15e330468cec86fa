// Command lab makes the built-in corpus of trafficgpt: it plays scenarios of
// real protocol implementations between two TCP/IP stacks and writes what
// passed the link between them, as flows with their labels.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"trafficgpt/lib/dataset"
	"trafficgpt/tokenizer/pcap"
)

//go:generate go run -ldflags=-checklinkname=0 . -o ../lab.bin

func main() {
	out := flag.String("o", "", "write the snapshot to `FILE`")
	dir := flag.String("pcap", "", "write captures to `DIR`, a folder a class")
	seed := flag.Uint64("seed", 1, "everything follows from this number")
	only := flag.String("only", "", "play these `CLASSES` only, comma-separated")
	scale := flag.Float64("scale", 1, "play this multiple of the usual number of instances")
	flag.Parse()
	log.SetOutput(io.Discard) // what libraries say of the sockets they were given
	classes := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	wanted := func(c string) bool { return len(classes) == 0 || slices.Contains(classes, c) }

	inVirtualTime(time.Date(2026, 3, 2, 7, 30, 0, 0, time.UTC), *seed, func() {
		flows, err := play(*seed, wanted, *scale)
		if err == nil {
			err = write(flows, *out, *dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			os.Exit(1)
		}
		// Some libraries leave goroutines behind, so the bubble would not end.
		os.Exit(0)
	})
}

func write(flows []*pcap.Flow, out, dir string) error {
	summary(flows)
	if out != "" {
		set := &dataset.Set{Name: "lab", Flows: flows}
		if err := set.Save(out); err != nil {
			return err
		}
	}
	if dir == "" {
		return nil
	}
	return export(flows, dir)
}

// export writes a capture a scenario instance and class, as dir/class/behaviour-number.pcap.
func export(flows []*pcap.Flow, dir string) error {
	files := map[string][]*pcap.Flow{}
	for _, f := range flows {
		name := filepath.Join(dir, f.Label, strings.ReplaceAll(f.Group, "/", "-")+".pcap")
		files[name] = append(files[name], f)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := pcap.WriteFlows(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

func summary(flows []*pcap.Flow) {
	type sum struct{ flows, packets, bytes, groups, big int }
	m := map[string]*sum{}
	groups := map[string]bool{}
	var names []string
	for _, f := range flows {
		s := m[f.Label]
		if s == nil {
			s = &sum{}
			m[f.Label] = s
			names = append(names, f.Label)
		}
		s.flows++
		n := 1
		for _, p := range f.Packets {
			s.packets++
			s.bytes += len(p.Data)
			n += 10 + len(p.Data)
		}
		if n > 12032 {
			s.big++
		}
		if k := f.Label + " " + f.Group; !groups[k] {
			groups[k] = true
			s.groups++
		}
	}
	slices.Sort(names)
	for _, n := range names {
		s := m[n]
		fmt.Printf("%-10s %5d flows %4d groups %6d packets %8d bytes %3d long\n", n, s.flows, s.groups, s.packets, s.bytes, s.big)
	}
	fmt.Println(len(flows), "flows")
}
