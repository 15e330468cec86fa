package tokenizer

import (
	"errors"
	"io"

	"trafficgpt/tokenizer/pcap"
)

// pipeline turns streams of bytes into parts. One goroutine reads and sorts,
// another builds the sections; a few parts in flight bound the memory.
type pipeline struct {
	free  chan *part
	limit int // flows kept in mind
	flows pcap.FlowOptions
}

const partsInFlight = 4

func newPipeline(o pcap.FlowOptions, limit int) *pipeline {
	p := &pipeline{free: make(chan *part, partsInFlight), limit: limit, flows: o}
	for range partsInFlight {
		p.free <- &part{}
	}
	return p
}

// summary is what one stream was.
type summary struct {
	size                   int64
	packets, flows, tokens int64
	format                 pcap.Format
	warnings               []string
}

var errStopped = errors.New("stopped")

// run reads a stream to its end and hands its parts to emit, which runs in
// another goroutine and gives each back through p.free.
func (p *pipeline) run(in io.Reader, name string, stream uint8, sorted bool, emit func(*part) error) (summary, error) {
	queue := make(chan *part, partsInFlight)
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		var err error
		for k := range queue {
			if err == nil {
				if err = emit(k); err != nil {
					close(stop)
				}
			}
			p.free <- k
		}
		done <- err
	}()
	s := streamer{in: in, stream: stream, parser: pcap.Parser{Path: name}, raw: !sorted, p: p, queue: queue, stop: stop}
	if sorted {
		s.assembler = pcap.NewAssembler(pcap.AssemblerOptions{FlowOptions: p.flows, Limit: p.limit, Window: s.window})
	}
	err := s.all()
	close(queue)
	if emitErr := <-done; emitErr != nil {
		err = emitErr
	}
	s.sum.size = s.offset
	s.sum.format = s.parser.Format
	s.sum.warnings = append(s.parser.Warnings, s.sum.warnings...)
	return s.sum, err
}

// streamer cuts one stream into parts.
type streamer struct {
	p         *pipeline
	in        io.Reader
	stream    uint8
	parser    pcap.Parser
	assembler *pcap.Assembler
	memos     []memo // by the slot of the assembler
	raw       bool   // the rest is not read as a capture
	queue     chan<- *part
	stop      <-chan struct{}

	now    *part
	number int
	offset int64  // of the next part
	rest   []byte // read, and not in a part yet
	eof    bool
	sum    summary
}

// window goes through the packets that are in memory behind the one at hand.
func (s *streamer) window(yield func(pcap.LinkType, []byte) bool) {
	look := s.parser // a copy: it goes ahead and is forgotten
	look.Warnings = nil
	for b := s.rest; ; {
		r, err := look.Next(b, false)
		if err != nil || r.Size == 0 {
			return
		}
		if r.IsPacket && !yield(r.LinkType, b[r.Lo:r.Hi]) {
			return
		}
		b = b[r.Size:]
	}
}

// all reads the stream to its end.
func (s *streamer) all() error {
	for {
		select {
		case s.now = <-s.p.free:
		case <-s.stop:
			return errStopped
		}
		s.number++
		k := s.now
		rest := s.rest
		// The rest lies in the part before, which only reads it.
		k.reset()
		k.stream, k.offset, k.raw = s.stream, s.offset, s.raw
		k.src = append(k.src, rest...)
		s.rest = nil
		if s.assembler != nil {
			s.assembler.NewWindow()
		}
		if err := s.fill(partSize); err != nil {
			s.p.free <- k
			return err
		}
		if len(k.src) == 0 {
			s.p.free <- k
			return nil
		}
		if s.raw {
			s.rest = nil
		} else if err := s.cut(); err != nil {
			s.p.free <- k
			return err
		}
		s.offset += int64(len(k.src))
		s.sum.packets += int64(len(k.packets))
		s.sum.flows += int64(k.begun)
		s.sum.tokens += k.tokens + int64(k.begun) // an end token for each flow
		select {
		case s.queue <- k:
		case <-s.stop:
			s.p.free <- k
			return errStopped
		}
	}
}

// fill reads until the part has n bytes or the stream ends.
func (s *streamer) fill(n int) error {
	k := s.now
	if s.eof || len(k.src) >= n {
		return nil
	}
	for len(k.src) < n {
		if len(k.src) == cap(k.src) { // small files get by with small buffers
			b := make([]byte, len(k.src), min(n, max(64<<10, 4*len(k.src))))
			copy(b, k.src)
			k.src = b
		}
		got, err := io.ReadFull(s.in, k.src[len(k.src):min(n, cap(k.src))])
		k.src = k.src[:len(k.src)+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			s.eof = true
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cut takes the whole records of the part; what is left goes to the next.
func (s *streamer) cut() error {
	k := s.now
	at := 0
	for {
		s.rest = k.src[at:]
		r, err := s.parser.Next(s.rest, s.eof)
		switch {
		case err == nil:
			s.rest = k.src[at+r.Size:]
			s.take(&r, at)
			at += r.Size
			continue
		case err == io.EOF:
			s.rest = nil
			return nil
		case pcap.More(err) && s.parser.Need() > maxRecord:
			s.sum.warnings = append(s.sum.warnings, (&pcap.Error{Path: s.parser.Path, Offset: s.parser.Offset(),
				Problem: "a record of more than 16 MiB, and what follows it, is kept without tokens"}).Error())
		case pcap.More(err) && at > 0:
			k.src = k.src[:at]
			return nil
		case pcap.More(err):
			if err := s.fill(max(2*len(k.src), s.parser.Need())); err != nil {
				return err
			}
			continue
		default:
			s.sum.warnings = append(s.sum.warnings, err.Error())
		}
		// From here on it is no capture.
		s.raw = true
		if at == 0 {
			k.raw = true
			s.rest = nil
		}
		if at > 0 {
			k.src = k.src[:at]
		}
		return nil
	}
}

// take sorts one record into the part.
func (s *streamer) take(r *pcap.Record, at int) {
	k := s.now
	b := k.src[at : at+r.Size]
	if !r.IsPacket {
		k.literal(b)
		return
	}
	var f frame
	if s.parser.Format == pcap.NG {
		f.ng = true
		id := 0
		f.big, id, f.units, f.offset = s.parser.BlockFrame(r.Iface)
		f.iface = uint32(id)
	} else {
		f.big, f.nano = s.parser.Big, s.parser.Nano
	}
	a := s.assembler.Add(r.LinkType, b[r.Lo:r.Hi], r.Sec, r.Nsec)
	if a.Slot == len(s.memos) {
		s.memos = append(s.memos, memo{})
	}
	k.add(s.number, at, r, a, &s.memos[a.Slot], f)
}
