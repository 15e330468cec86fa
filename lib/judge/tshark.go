package judge

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"trafficgpt/tokenizer/pcap"
)

// tshark is the program that counts malformed packets, or why there is none.
func (j *judgement) tshark() (path, why string) {
	switch j.Tshark {
	case "-":
		return "", "judge.Options.Tshark says so"
	case "":
		path, err := exec.LookPath("tshark")
		if err != nil {
			return "", "there is no tshark on this machine"
		}
		return path, ""
	}
	path, err := exec.LookPath(j.Tshark)
	if err != nil {
		return "", err.Error()
	}
	return path, ""
}

// malformed is the share of the packets that tshark calls malformed, in percent,
// with its interval over flows.
func (j *judgement) malformed(tshark string, flows []*pcap.Flow) (Value, error) {
	dir, err := os.MkdirTemp("", "judge")
	if err != nil {
		return unknown, err
	}
	defer os.RemoveAll(dir)
	// The flows one behind the other, so that it is known to which a line belongs.
	var packets []pcap.Packet
	for _, f := range flows {
		for _, p := range f.Packets { // at times that a capture can hold, whatever theirs are
			p.Time = time.Unix(int64(len(packets)), 0).UTC()
			packets = append(packets, p)
		}
	}
	path := filepath.Join(dir, "flows.pcapng")
	if err := pcap.Write(path, packets); err != nil {
		return unknown, err
	}
	cmd := exec.CommandContext(j.ctx, tshark, "-n", "-r", path, "-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-e", "frame.number", "-e", "_ws.malformed")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	lines := bytes.Count(out, []byte{'\n'})
	if lines != len(packets) {
		if err == nil {
			err = fmt.Errorf("it read %d of %d packets", lines, len(packets))
		}
		first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return unknown, errors.Join(fmt.Errorf("failed to run tshark: %w", err), errors.New(first))
	}
	bad := make([]int, 0, lines)
	for line := range strings.Lines(string(out)) {
		_, field, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n := 0
		if field != "" {
			n = 1
		}
		bad = append(bad, n)
	}
	return j.ratio(flows, bad), nil
}

// ratio is the share of packets that are marked, in percent, with its interval
// over flows: marks has one number a packet, flow by flow.
func (j *judgement) ratio(flows []*pcap.Flow, marks []int) Value {
	part, whole := make([]float64, len(flows)), make([]float64, len(flows))
	at := 0
	for i, f := range flows {
		for range f.Packets {
			part[i] += float64(marks[at])
			at++
		}
		whole[i] = float64(len(f.Packets))
	}
	return j.quotient(part, whole, 100)
}
