package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// CorpusOptions says how a corpus is made. The zero value is good.
type CorpusOptions struct {
	Flows   pcap.FlowOptions // what belongs to a flow
	Pack    bool             // compress the tokens too (zstd); the side-car always is
	Workers int              // files at a time; 0 is one a processor
}

// FileInfo is one source file of a corpus.
type FileInfo struct {
	Name       string // where it is restored to, with slashes
	FromFolder bool
	Size       int64  // bytes
	CRC        uint32 // CRC-32C of the file
	Format     string // "pcap", "pcapng", with " in gzip" or " in zstd" behind it; "" when it is no capture
	Packets    int64
	Flows      int64
	Tokens     int64
	Warnings   []string // what could not be read as packets; it is restored all the same
	Done       bool     // false when the corpus ends before the file does
	through    pcap.Through
	offset     int64 // of its first section
}

// CorpusWriter makes a corpus file or goes on with one.
type CorpusWriter struct {
	path   string
	made   *atomicfile.File // what is to be the corpus, or nil
	old    *os.File         // the corpus that is gone on with, or nil
	before int64            // bytes of old
	o      CorpusOptions

	mu       sync.Mutex
	f        io.WriterAt // made or old
	offset   int64
	sections []section
	files    []FileInfo
	names    map[string]bool
}

// CreateCorpus starts a corpus; it takes the place of path when it is closed.
func CreateCorpus(path string, o CorpusOptions) (*CorpusWriter, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	w := &CorpusWriter{path: path, made: f, o: o, f: f, offset: corpusHeader, names: map[string]bool{}}
	if _, err := f.Write(corpusStart()); err != nil {
		w.Abort()
		return nil, fmt.Errorf("failed to write %s: %w", path, err)
	}
	return w, nil
}

// AppendCorpus goes on with the corpus at path. What is in it is not touched:
// when writing fails, the corpus still has all its files.
func AppendCorpus(path string, o CorpusOptions) (*CorpusWriter, error) {
	c, err := OpenCorpus(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("failed to append: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("failed to append to %s: %w", path, err)
	}
	w := &CorpusWriter{path: path, old: f, before: end, o: o, f: f, offset: end, sections: c.sections, files: c.files, names: map[string]bool{}}
	for _, i := range c.files {
		w.names[i.Name] = true
	}
	return w, nil
}

// Files lists the source files taken in so far, those that were there included.
func (w *CorpusWriter) Files() []FileInfo { return slices.Clone(w.files) }

// Abort gives up. A corpus that was being created does not appear, one that was
// gone on with is as before.
func (w *CorpusWriter) Abort() {
	if w.made != nil {
		w.made.Discard()
		return
	}
	_ = w.old.Truncate(w.before) // what is left behind would be passed over
	w.old.Close()
}

// input is a file to take in.
type input struct {
	path, name string
	folder     bool
}

// Add takes in files and all files of folders, several at a time. It fails when
// the running cell is interrupted.
func (w *CorpusWriter) Add(paths ...string) error {
	var all []input
	for _, p := range paths {
		found, err := inputs(p)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return fmt.Errorf("there is no file in %s", strings.Join(paths, ", "))
	}
	if err := w.restrict(all); err != nil {
		return err
	}
	first := len(w.files)
	for _, in := range all {
		if w.names[in.name] {
			return fmt.Errorf("%s: the corpus has a file of the name %s already", in.path, in.name)
		}
		w.names[in.name] = true
		w.files = append(w.files, FileInfo{Name: in.name, FromFolder: in.folder, through: w.o.Flows.Through})
	}
	workers := w.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, len(all))
	next := make(chan int)
	errs := make(chan error, workers)
	stop := make(chan struct{})
	var once sync.Once
	for range workers {
		go func() {
			p := newPipeline(w.o.Flows, 1<<18/workers)
			var failed error
			for i := range next {
				if failed == nil {
					if failed = w.file(p, uint32(first+i), all[i]); failed != nil {
						once.Do(func() { close(stop) })
					}
				}
			}
			errs <- failed
		}()
	}
feed:
	for i := range all {
		select {
		case next <- i:
		case <-stop:
			break feed
		}
	}
	close(next)
	var err error
	for range workers {
		if e := <-errs; e != nil && err == nil {
			err = e
		}
	}
	return err
}

// restrict sees to it that nobody reads in a new corpus what he could not read in a
// capture.
func (w *CorpusWriter) restrict(all []input) error {
	if w.made == nil {
		return nil
	}
	mode := fs.ModePerm
	for _, in := range all {
		st, err := os.Stat(in.path)
		if err != nil {
			return err
		}
		mode &= st.Mode()
	}
	return w.made.Restrict(mode)
}

// inputs lists the files that a path stands for, and what they are to be called.
func inputs(path string) ([]input, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		if !st.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no regular file", path)
		}
		return []input{{path: path, name: filepath.Base(path)}}, nil
	}
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	var all []input
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Join(filepath.Base(root), rel))
		all = append(all, input{p, strings.TrimPrefix(name, "/"), true})
		return nil
	})
	slices.SortFunc(all, func(a, b input) int { return strings.Compare(a.name, b.name) })
	return all, err
}

// file takes in one file.
func (w *CorpusWriter) file(p *pipeline, number uint32, in input) error {
	f, err := os.Open(in.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info := w.files[number]
	seq := uint32(0)
	put := func(kind byte, out []byte, s section) error {
		s.kind, s.file, s.seq = kind, number, seq
		seq++
		return w.put(out, s)
	}
	if err := put(sectionFile, fileStart(&info), section{}); err != nil {
		return err
	}
	crc := uint32(0)
	emit := func(k *part) error {
		if k.stream == streamFile {
			crc = crc32.Update(crc, castagnoli, k.src)
		}
		kind := byte(sectionPart)
		if k.raw {
			kind = sectionRaw
			k.buildRaw()
		} else {
			k.build(w.o.Pack)
		}
		return put(kind, k.out, section{stream: k.stream, source: k.offset, length: int64(len(k.src))})
	}
	plain, compression, release, err := pcap.Uncompressed(f)
	defer release()
	var sum summary
	if err == nil && compression != "" {
		// The compressed bytes restore the file, what is inside makes the tokens.
		plain = &tolerant{in: plain, path: in.path}
		if sum, err = p.run(plain, in.path, streamPlain, true, emit); err != nil {
			return err
		}
		sum.warnings = append(sum.warnings, plain.(*tolerant).warnings...)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("failed to read %s: %w", in.path, err)
	}
	whole, err := p.run(f, in.path, streamFile, compression == "", emit)
	if err != nil {
		return fmt.Errorf("failed to take in %s: %w", in.path, err)
	}
	info.Size, info.CRC, info.Done = whole.size, crc, true
	if compression == "" {
		sum = whole
	}
	info.Format, info.Packets, info.Flows, info.Tokens, info.Warnings = string(sum.format), sum.packets, sum.flows, sum.tokens, sum.warnings
	if compression != "" && info.Format != "" {
		info.Format += " in " + compression
	}
	w.mu.Lock()
	info.offset = w.files[number].offset
	w.files[number] = info
	w.mu.Unlock()
	return put(sectionEnd, fileEnd(&info), section{})
}

// tolerant ends a stream where its decompression fails.
type tolerant struct {
	in       io.Reader
	path     string
	read     int64
	warnings []string
}

func (t *tolerant) Read(b []byte) (int, error) {
	n, err := t.in.Read(b)
	t.read += int64(n)
	if err != nil && err != io.EOF {
		t.warnings = append(t.warnings, (&pcap.Error{Path: t.path, Offset: t.read, Problem: "it cannot be decompressed on: " + err.Error()}).Error())
		err = io.EOF
	}
	return n, err
}

var errInterrupted = errors.New("interrupted")

// put writes a section; out has room for its header.
func (w *CorpusWriter) put(out []byte, s section) error {
	if display.Context().Err() != nil {
		return errInterrupted
	}
	payload := out[sectionHeader:]
	if len(payload) > maxSection {
		return fmt.Errorf("a section of %d bytes is more than a corpus may have", len(payload))
	}
	s.size, s.crc = uint32(len(payload)), crc32.Checksum(payload, castagnoli)
	s.put(out)
	w.mu.Lock()
	defer w.mu.Unlock()
	s.offset = w.offset
	if _, err := w.f.WriteAt(out, w.offset); err != nil {
		return fmt.Errorf("failed to write %s: %w", w.path, err)
	}
	w.offset += int64(len(out))
	if s.kind == sectionFile {
		w.files[s.file].offset = s.offset
	}
	if s.kind != sectionIndex {
		w.sections = append(w.sections, s)
	}
	return nil
}

// fileStart is the section that opens a file.
func fileStart(i *FileInfo) []byte {
	b := make([]byte, sectionHeader, sectionHeader+64)
	b = appendText(b, i.Name)
	flags := uint64(0)
	if i.FromFolder {
		flags |= flagFromFolder
	}
	b = binary.AppendUvarint(b, flags)
	return binary.AppendUvarint(b, uint64(i.through))
}

// fileEnd is the section that closes a file.
func fileEnd(i *FileInfo) []byte { return appendEnd(make([]byte, sectionHeader, sectionHeader+64), i) }

func appendEnd(b []byte, i *FileInfo) []byte {
	b = binary.AppendUvarint(b, uint64(i.Size))
	b = binary.LittleEndian.AppendUint32(b, i.CRC)
	for _, v := range []int64{i.Packets, i.Flows, i.Tokens} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = appendText(b, i.Format)
	b = binary.AppendUvarint(b, uint64(len(i.Warnings)))
	for _, w := range i.Warnings {
		b = appendText(b, w)
	}
	return b
}

func (c *cursor) end(i *FileInfo) {
	i.Size, i.CRC = int64(c.uvarint()), c.u32()
	i.Packets, i.Flows, i.Tokens = int64(c.uvarint()), int64(c.uvarint()), int64(c.uvarint())
	i.Format = c.text()
	i.Warnings = nil
	for range c.count(len(c.b)) {
		i.Warnings = append(i.Warnings, c.text())
	}
}

func (c *cursor) start(i *FileInfo) {
	i.Name = c.text()
	i.FromFolder = c.uvarint()&flagFromFolder != 0
	i.through = pcap.Through(c.uvarint())
}

// Close writes the index, which lets a reader find any part at once.
func (w *CorpusWriter) Close() error {
	at := w.offset
	b := make([]byte, sectionHeader)
	b = binary.AppendUvarint(b, uint64(len(w.files)))
	for i := range w.files {
		f := &w.files[i]
		start := fileStart(f)[sectionHeader:]
		b = append(b, start...)
		done := uint64(0)
		if f.Done {
			done = 1
		}
		b = binary.AppendUvarint(b, done)
		b = binary.AppendUvarint(b, uint64(f.offset))
		b = appendEnd(b, f)
	}
	b = binary.AppendUvarint(b, uint64(len(w.sections)))
	for _, s := range w.sections {
		b = append(b, s.kind, s.stream)
		for _, v := range []int64{int64(s.file), int64(s.seq), s.offset, int64(s.size), int64(s.crc), s.source, s.length} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	if len(b) <= maxSection { // an index beyond that is left out: readers find the sections without
		if err := w.put(b, section{kind: sectionIndex}); err != nil {
			w.Abort()
			return err
		}
		t := binary.LittleEndian.AppendUint64(nil, uint64(at))
		t = binary.LittleEndian.AppendUint32(t, crc32.Checksum(t, castagnoli))
		t = append(t, indexMagic...)
		if _, err := w.f.WriteAt(t, w.offset); err != nil {
			w.Abort()
			return fmt.Errorf("failed to write %s: %w", w.path, err)
		}
	}
	if w.made != nil {
		return w.made.Commit()
	}
	if err := errors.Join(w.old.Sync(), w.old.Close()); err != nil {
		return fmt.Errorf("failed to append: %w", err)
	}
	return nil
}

// EncodeFile writes a corpus of one file, or of all files of a folder.
func EncodeFile(in, out string) error {
	w, err := CreateCorpus(out, CorpusOptions{})
	if err != nil {
		return err
	}
	if err := w.Add(in); err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}
