package model

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"trafficgpt/atomicfile"
)

// A checkpoint is one file in the safetensors format, which Python's library
// reads: a little-endian uint64, so many bytes of JSON, then the tensors. The
// weights stand under their names; a training checkpoint adds the optimiser's
// moments as optimizer.m.NAME and optimizer.v.NAME. Configuration, optimiser,
// and what the caller adds are strings of JSON in the header's __metadata__, so
// one rename makes all of it visible at once and a kill in mid-write leaves the
// file before.

// formatName marks our files in __metadata__.
const formatName = "trafficgpt-checkpoint-1"

// maxHeader bounds the header of files that are read.
const maxHeader = 64 << 20

// tensorInfo is one entry of a safetensors header.
type tensorInfo struct {
	Type    string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// trainerState is the part of a training checkpoint that is not a tensor.
type trainerState struct {
	Optimizer AdamW
	Steps     int
	Seed      uint64 // of dropout, whose every draw follows from seed and step
	Precision string // empty in files older than it: fp32
}

// Save writes the model to path, by a temporary name and a rename.
func (m *Model) Save(path string) error { return m.save(path, nil, nil) }

// Load reads a model that Save or a training run wrote. The error names file
// and offset or tensor.
func Load(path string) (*Model, error) {
	m, _, _, err := load(path, false)
	return m, err
}

// Save writes model, optimiser and step count to path, and with them the
// caller's notes (data position and the like).
func (t *Trainer) Save(path string, notes map[string]string) error {
	return t.m.save(path, t, notes)
}

// LoadOptions are those of a trainer that no file keeps.
type LoadOptions struct {
	Stop func() bool // as in TrainerOptions
}

// LoadTrainer reads what [Trainer.Save] wrote, and gives model, trainer and the
// caller's notes: the next step gives the losses, bit for bit, that it would have
// given had the run never stopped. The options may be left out.
func LoadTrainer(path string, options ...LoadOptions) (*Model, *Trainer, map[string]string, error) {
	m, t, notes, err := load(path, true)
	if err == nil {
		t.o.Stop = append(options, LoadOptions{})[0].Stop
	}
	return m, t, notes, err
}

// slots lists what a file holds, in order.
func (m *Model) slots(t *Trainer) []slot {
	var out []slot
	for _, x := range m.params.all {
		out = append(out, slot{x.name, x, x.w})
	}
	if t != nil {
		for _, x := range m.params.all {
			end := x.at + len(x.w)
			out = append(out, slot{"optimizer.m." + x.name, x, t.m1[x.at:end]}, slot{"optimizer.v." + x.name, x, t.m2[x.at:end]})
		}
	}
	return out
}

type slot struct {
	name   string
	tensor *tensor
	data   []float32
}

func (x *tensor) shape() []int {
	if x.rows == 1 && !strings.Contains(x.name, "rwkv") && !strings.Contains(x.name, "position") {
		return []int{x.cols}
	}
	return []int{x.rows, x.cols}
}

func (m *Model) save(path string, t *Trainer, notes map[string]string) error {
	slots := m.slots(t)
	header, err := m.header(slots, t, notes)
	if err != nil {
		return fmt.Errorf("failed to write checkpoint %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		if err := binary.Write(w, binary.LittleEndian, uint64(len(header))); err != nil {
			return err
		}
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, s := range slots {
			if err := writeFloats(w, s.data); err != nil {
				return err
			}
		}
		return nil
	})
}

// header is the JSON in front of the slots' data, filled up to a multiple of 8 bytes.
func (m *Model) header(slots []slot, t *Trainer, notes map[string]string) ([]byte, error) {
	meta := map[string]string{"format": formatName}
	for k, v := range notes {
		meta["note."+k] = v
	}
	parts := map[string]any{"config": m.cfg}
	if t != nil {
		parts["trainer"] = trainerState{t.o.Optimizer, t.steps, t.o.Seed, t.o.Precision}
	}
	for key, v := range parts {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		meta[key] = string(b)
	}
	entries := map[string]any{"__metadata__": meta}
	var at int64
	for _, s := range slots {
		size := int64(4 * len(s.data))
		entries[s.name] = tensorInfo{"F32", s.tensor.shape(), [2]int64{at, at + size}}
		at += size
	}
	text, err := json.Marshal(entries)
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	return text, err
}

func writeFloats(w io.Writer, x []float32) error {
	var buf [1 << 14]byte
	for len(x) > 0 {
		n := min(len(x), len(buf)/4)
		for i, v := range x[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(buf[:4*n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

func readFloats(r io.Reader, x []float32) error {
	var buf [1 << 14]byte
	for len(x) > 0 {
		n := min(len(x), len(buf)/4)
		if _, err := io.ReadFull(r, buf[:4*n]); err != nil {
			return err
		}
		for i := range x[:n] {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
		}
		x = x[n:]
	}
	return nil
}

// checkpointHeader is a file's header, read and checked.
type checkpointHeader struct {
	tensors map[string]tensorInfo
	meta    map[string]string
	data    int64 // where tensors begin
}

func readHeader(f *os.File) (*checkpointHeader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var size uint64
	if err := binary.Read(f, binary.LittleEndian, &size); err != nil {
		return nil, fmt.Errorf("offset 0: it is shorter than the 8 bytes of a header's length")
	}
	if size > maxHeader || int64(size)+8 > info.Size() {
		return nil, fmt.Errorf("offset 0: a header of %d bytes does not fit a file of %d; it is no safetensors file or was cut", size, info.Size())
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, fmt.Errorf("offset 8: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("offset 8: the header is no JSON object: %w", err)
	}
	h := &checkpointHeader{tensors: map[string]tensorInfo{}, data: 8 + int64(size)}
	for name, b := range raw {
		if name == "__metadata__" {
			err = json.Unmarshal(b, &h.meta)
		} else {
			var t tensorInfo
			err = json.Unmarshal(b, &t)
			h.tensors[name] = t
			if err == nil && (t.Offsets[0] < 0 || t.Offsets[1] < t.Offsets[0] || t.Offsets[1] > info.Size()-h.data) {
				err = fmt.Errorf("bytes %d to %d lie outside the file of %d bytes", t.Offsets[0]+h.data, t.Offsets[1]+h.data, info.Size())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("entry %q of the header: %w", name, err)
		}
	}
	return h, nil
}

func load(path string, training bool) (*Model, *Trainer, map[string]string, error) {
	fail := func(err error) (*Model, *Trainer, map[string]string, error) {
		return nil, nil, nil, fmt.Errorf("failed to read checkpoint %s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	h, err := readHeader(f)
	if err != nil {
		return fail(err)
	}
	if h.meta["format"] != formatName {
		return fail(fmt.Errorf("its format is %q, not %q", h.meta["format"], formatName))
	}
	var cfg Config
	if err := json.Unmarshal([]byte(h.meta["config"]), &cfg); err != nil {
		return fail(fmt.Errorf("configuration: %w", err))
	}
	if cfg, err = cfg.complete(); err != nil {
		return fail(fmt.Errorf("configuration: %w", err))
	}
	if _, n := layOut(cfg); n > int(h.largestEnd()/4)+16*len(h.tensors) {
		return fail(fmt.Errorf("the configuration needs %d weights, the file holds %d values", n, h.largestEnd()/4))
	}
	m := build(cfg)
	var t *Trainer
	if training {
		var s trainerState
		if h.meta["trainer"] == "" {
			return fail(fmt.Errorf("it holds a model, but no state of a training run"))
		}
		if err := json.Unmarshal([]byte(h.meta["trainer"]), &s); err != nil {
			return fail(fmt.Errorf("state of the training run: %w", err))
		}
		if s.Precision == "" {
			s.Precision = PrecisionFP32
		}
		if _, err := PrecisionOf(s.Precision); err != nil {
			return fail(fmt.Errorf("state of the training run: %w", err))
		}
		t = newTrainer(m, TrainerOptions{Optimizer: s.Optimizer, Seed: s.Seed, Precision: s.Precision})
		t.steps = s.Steps
	}
	if err := readSlots(f, h, m.slots(t)); err != nil {
		return fail(err)
	}
	m.changed()
	notes := map[string]string{}
	for k, v := range h.meta {
		if name, ok := strings.CutPrefix(k, "note."); ok {
			notes[name] = v
		}
	}
	return m, t, notes, nil
}

func (h *checkpointHeader) largestEnd() int64 {
	var n int64
	for _, t := range h.tensors {
		n = max(n, t.Offsets[1])
	}
	return n
}

// readSlots fills all slots, whatever the order of tensors in the file.
func readSlots(f *os.File, h *checkpointHeader, slots []slot) error {
	for _, s := range slots {
		t, ok := h.tensors[s.name]
		if !ok {
			return fmt.Errorf("tensor %q is missing", s.name)
		}
		if t.Type != "F32" || !slices.Equal(t.Shape, s.tensor.shape()) || t.Offsets[1]-t.Offsets[0] != int64(4*len(s.data)) {
			return fmt.Errorf("tensor %q is %s%v with %d bytes, not F32%v", s.name, t.Type, t.Shape, t.Offsets[1]-t.Offsets[0], s.tensor.shape())
		}
		if _, err := f.Seek(h.data+t.Offsets[0], io.SeekStart); err != nil {
			return fmt.Errorf("tensor %q: %w", s.name, err)
		}
		if err := readFloats(f, s.data); err != nil {
			return fmt.Errorf("tensor %q at offset %d: %w", s.name, h.data+t.Offsets[0], err)
		}
	}
	return nil
}
