package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"trafficgpt/atomicfile"
	"trafficgpt/tokenizer/pcap"
)

// Corpus is a corpus file open for reading. Its methods may be called from
// several goroutines at once.
type Corpus struct {
	Path string
	// Damage says what was found wrong on opening: a damaged or missing index,
	// bytes that are no section. Files are restored from the sections all the same.
	Damage []string

	f        io.ReaderAt
	close    func() error
	mode     fs.FileMode
	size     int64
	files    []FileInfo
	sections []section
	ofFile   [][]int // sections of each file, in order
}

// OpenCorpus opens a corpus and reads its index; without a sound index it goes
// through the whole file once.
func OpenCorpus(path string) (*Corpus, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a folder, not a corpus file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	c, err := ReadCorpus(path, f, st.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	c.close, c.mode = f.Close, st.Mode().Perm()
	return c, nil
}

// ReadCorpus is OpenCorpus for a corpus of size bytes that lies somewhere else
// than in a file; name stands in errors.
func ReadCorpus(name string, r io.ReaderAt, size int64) (*Corpus, error) {
	c := &Corpus{Path: name, f: r, size: size, close: func() error { return nil }, mode: fs.ModePerm}
	if err := c.open(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Corpus) open() error {
	if err := checkStart(c.f, c.Path); err != nil {
		return err
	}
	if err := c.index(); err != nil {
		c.Damage = append(c.Damage, err.Error())
		if err := c.scan(); err != nil {
			return err
		}
	}
	c.ofFile = make([][]int, len(c.files))
	for i, s := range c.sections {
		if int(s.file) < len(c.files) {
			c.ofFile[s.file] = append(c.ofFile[s.file], i)
		}
	}
	for _, list := range c.ofFile {
		slices.SortFunc(list, func(a, b int) int { return int(c.sections[a].seq) - int(c.sections[b].seq) })
	}
	return nil
}

// Close closes the file.
func (c *Corpus) Close() error { return c.close() }

// Mode is what files that come out of the corpus may grant: no more than the corpus
// itself, which grants no more than the captures in it did.
func (c *Corpus) Mode() fs.FileMode { return c.mode&0o666 | 0o600 }

// Files lists the source files of the corpus.
func (c *Corpus) Files() []FileInfo { return slices.Clone(c.files) }

// index reads the index that the end of the file points to.
func (c *Corpus) index() error {
	fail := func(problem string) error { return fmt.Errorf("%s: the index %s", c.Path, problem) }
	t := make([]byte, trailerSize)
	if _, err := c.f.ReadAt(t, max(0, c.size-trailerSize)); err != nil {
		return fail("is missing")
	}
	if string(t[12:]) != indexMagic || binary.LittleEndian.Uint32(t[8:]) != crc32.Checksum(t[:8], castagnoli) {
		return fail("is missing or damaged")
	}
	s, payload, err := c.section(int64(binary.LittleEndian.Uint64(t)), nil)
	if err != nil || s.kind != sectionIndex {
		return fail("is damaged")
	}
	k := cursor{b: payload}
	var files []FileInfo
	for range k.count(len(payload)) {
		var f FileInfo
		k.start(&f)
		f.Done = k.uvarint() == 1
		f.offset = int64(k.uvarint())
		k.end(&f)
		if k.bad {
			return fail("is damaged")
		}
		files = append(files, f)
	}
	var sections []section
	for range k.count(len(payload)) {
		var s section
		s.kind, s.stream = k.u8(), k.u8()
		s.file, s.seq, s.offset = uint32(k.uvarint()), uint32(k.uvarint()), int64(k.uvarint())
		s.size, s.crc, s.source, s.length = uint32(k.uvarint()), uint32(k.uvarint()), int64(k.uvarint()), int64(k.uvarint())
		if k.bad || int(s.file) >= len(files) {
			return fail("is damaged")
		}
		sections = append(sections, s)
	}
	c.files, c.sections = files, sections
	return nil
}

// section reads and checks the section at an offset. The payload lies in buf if
// it has room.
func (c *Corpus) section(offset int64, buf []byte) (section, []byte, error) {
	var h [sectionHeader]byte
	if offset < 0 || offset > c.size-sectionHeader {
		return section{}, nil, io.ErrUnexpectedEOF
	}
	if _, err := c.f.ReadAt(h[:], offset); err != nil {
		return section{}, nil, err
	}
	s, ok := readSection(h[:])
	if !ok {
		return s, nil, errors.New("the section's header is damaged")
	}
	s.offset = offset
	if int64(s.size) > c.size-offset-sectionHeader {
		return s, nil, errors.New("the section is cut")
	}
	payload := grow(buf, int(s.size))
	if _, err := c.f.ReadAt(payload, offset+sectionHeader); err != nil {
		return s, nil, err
	}
	if crc32.Checksum(payload, castagnoli) != s.crc {
		return s, payload, errors.New("the section's checksum differs from its bytes")
	}
	return s, payload, nil
}

// scan finds all sections without an index, and steps over what is damaged.
func (c *Corpus) scan() error {
	var buf []byte
	for at := int64(corpusHeader); at < c.size; {
		s, payload, err := c.section(at, buf)
		if cap(payload) > cap(buf) {
			buf = payload
		}
		if err != nil && payload == nil {
			if c.size-at == trailerSize {
				break // a trailer whose index is damaged
			}
			next, ferr := c.find(at + 1)
			if ferr != nil {
				return ferr
			}
			if !c.isTrailer(at, next) {
				c.Damage = append(c.Damage, fmt.Sprintf("%s: bytes %d to %d are no section: %v", c.Path, at, next-1, err))
			}
			at = next
			continue
		}
		at += sectionHeader + int64(s.size)
		if s.kind == sectionIndex {
			continue
		}
		if int(s.file) >= len(c.files) {
			if int(s.file) > len(c.files)+1<<16 {
				continue
			}
			for n := len(c.files); n <= int(s.file); n++ {
				c.files = append(c.files, FileInfo{Name: fmt.Sprintf("unnamed-%d", n)})
			}
		}
		info := &c.files[s.file]
		k := cursor{b: payload}
		switch s.kind {
		case sectionFile:
			if err == nil {
				k.start(info)
			}
			info.offset = s.offset
		case sectionEnd:
			if err == nil {
				k.end(info)
				info.Done = !k.bad
			}
		case sectionPart, sectionRaw:
			s.stream = k.u8()
			k.take(3)
			s.source = int64(k.u64())
			s.length = int64(len(k.b))
			if s.kind == sectionPart {
				s.length = int64(k.u32())
			}
		}
		c.sections = append(c.sections, s)
	}
	return nil
}

// isTrailer reports whether the bytes between two sections are the end of an
// index that was appended to.
func (c *Corpus) isTrailer(from, to int64) bool {
	var b [trailerSize]byte
	if to-from != trailerSize {
		return false
	}
	_, err := c.f.ReadAt(b[:], from)
	return err == nil && string(b[12:]) == indexMagic
}

// find returns the offset of the next sound section header, or the end of the file.
func (c *Corpus) find(at int64) (int64, error) {
	mark := binary.LittleEndian.AppendUint32(nil, sectionMark)
	buf := make([]byte, 1<<20)
	for at < c.size {
		n, err := c.f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("failed to read %s: %w", c.Path, err)
		}
		b := buf[:n]
		for i := 0; ; i++ {
			j := bytes.Index(b[i:], mark)
			if j < 0 || i+j+sectionHeader > n {
				break
			}
			i += j
			if _, ok := readSection(b[i:]); ok {
				return at + int64(i), nil
			}
		}
		if n < len(buf) {
			break
		}
		at += int64(n - sectionHeader)
	}
	return c.size, nil
}

// SectionError says which section of a corpus cannot be read.
type SectionError struct {
	Path    string
	Offset  int64 // of the section in the corpus file
	File    string
	From    int64 // bytes of the source file that the section holds
	To      int64
	Problem string
}

func (e *SectionError) Error() string {
	what := ""
	if e.To > e.From {
		what = fmt.Sprintf(" (bytes %d to %d of %s)", e.From, e.To-1, e.File)
	} else if e.File != "" {
		what = fmt.Sprintf(" (of %s)", e.File)
	}
	return fmt.Sprintf("%s: the section at offset %d%s is damaged: %s", e.Path, e.Offset, what, e.Problem)
}

// each calls f for every piece of a stream of a file, in order. A piece that
// cannot be read is given as an error; f decides whether to go on.
func (c *Corpus) each(file int, stream uint8, f func(u *unpackedPart, damage *SectionError) error) error {
	if file < 0 || file >= len(c.files) {
		return fmt.Errorf("%s has no file %d", c.Path, file)
	}
	info := &c.files[file]
	var u unpackedPart
	at := int64(0)
	gap := func(to int64) error {
		if to <= at {
			return nil
		}
		e := &SectionError{c.Path, info.offset, info.Name, at, to, "it is missing"}
		at = to
		return f(nil, e)
	}
	stop := make(chan struct{})
	defer close(stop)
	for s := range c.fetch(file, stream, stop) {
		if err := gap(s.source); err != nil {
			return err
		}
		at = s.source + s.length
		err := s.err
		switch {
		case err != nil:
		case s.kind == sectionPart:
			u.raw = false
			if err = u.read(s.payload); err == nil && (u.offset != s.source || int64(len(u.src)) != s.length) {
				err = errPart
			}
		case len(s.payload) < rawHeader:
			err = errPart
		default:
			u.src, u.raw = append(u.src[:0], s.payload[rawHeader:]...), true
		}
		if err != nil {
			err = f(nil, &SectionError{c.Path, s.offset, info.Name, s.source, s.source + s.length, err.Error()})
		} else {
			err = f(&u, nil)
		}
		if err != nil {
			return err
		}
		s.free <- s.payload
	}
	if !info.Done {
		return f(nil, &SectionError{c.Path, info.offset, info.Name, at, at, "the corpus ends before the file does"})
	}
	if stream == streamFile {
		return gap(info.Size)
	}
	return nil
}

// fetched is a section that has been read ahead.
type fetched struct {
	section
	payload []byte
	err     error
	free    chan<- []byte // where the payload's memory goes back to
}

// fetch reads the sections of a stream ahead, in order.
func (c *Corpus) fetch(file int, stream uint8, stop <-chan struct{}) <-chan fetched {
	const ahead = 3
	out, free := make(chan fetched), make(chan []byte, ahead)
	for range ahead {
		free <- nil
	}
	go func() {
		defer close(out)
		for _, i := range c.ofFile[file] {
			s := c.sections[i]
			if s.stream != stream || s.kind != sectionPart && s.kind != sectionRaw {
				continue
			}
			var buf []byte
			select {
			case buf = <-free:
			case <-stop:
				return
			}
			h, payload, err := c.section(s.offset, buf)
			if err == nil && (h.kind != s.kind || h.file != s.file || h.seq != s.seq) {
				err = errors.New("it is another section than the index says")
			}
			select {
			case out <- fetched{s, payload, err, free}:
			case <-stop:
				return
			}
		}
	}()
	return out
}

// Restore writes file i as it was, byte for byte. At the first damaged section
// it stops with a *SectionError.
func (c *Corpus) Restore(i int, w io.Writer) error { return c.restore(i, streamFile, w, nil) }

// Salvage is Restore that leaves out what is damaged and says what that was.
func (c *Corpus) Salvage(i int, w io.Writer) (damage []*SectionError, err error) {
	err = c.restore(i, streamFile, w, &damage)
	return damage, err
}

// RestorePlain writes what is inside a file compressed with gzip or zstd, and
// any other file as it was.
func (c *Corpus) RestorePlain(i int, w io.Writer) error {
	return c.restore(i, c.plainStream(i), w, nil)
}

// plainStream is the stream of a file that holds its packets.
func (c *Corpus) plainStream(file int) uint8 {
	if file >= 0 && file < len(c.files) {
		for _, i := range c.ofFile[file] {
			if c.sections[i].stream == streamPlain {
				return streamPlain
			}
		}
	}
	return streamFile
}

func (c *Corpus) restore(i int, stream uint8, w io.Writer, damage *[]*SectionError) error {
	crc, size := uint32(0), int64(0)
	err := c.each(i, stream, func(u *unpackedPart, e *SectionError) error {
		if e != nil {
			if damage == nil {
				return e
			}
			*damage = append(*damage, e)
			return nil
		}
		crc = crc32.Update(crc, castagnoli, u.src)
		size += int64(len(u.src))
		_, err := w.Write(u.src)
		return err
	})
	if err != nil || stream != streamFile || damage != nil && len(*damage) > 0 {
		return err
	}
	if f := &c.files[i]; size != f.Size || crc != f.CRC {
		return fmt.Errorf("%s: %s comes back as %d bytes with checksum %08x, and was %d bytes with %08x", c.Path, f.Name, size, crc, f.Size, f.CRC)
	}
	return nil
}

// Flows returns the flows of file i, with times, lengths and interfaces as the
// file has them, in the order of their first packets. Flows of a part that is
// damaged lack its packets, and the damage is returned beside them.
func (c *Corpus) Flows(i int) (flows pcap.Flows, damage []*SectionError, err error) {
	parser := pcap.Parser{}
	if i >= 0 && i < len(c.files) {
		parser.Path = c.files[i].Name
	}
	byID := map[uint32]*pcap.Flow{}
	stopped := false
	err = c.each(i, c.plainStream(i), func(u *unpackedPart, e *SectionError) error {
		if e != nil {
			damage = append(damage, e)
			return nil
		}
		if u.raw || stopped {
			return nil
		}
		next := 0
		src := bytes.Clone(u.src) // the packets refer to it
		for b := src; next < len(u.flows) || len(b) > 0; {
			r, perr := parser.Next(b, true)
			if perr != nil {
				if perr == io.EOF {
					break
				}
				stopped = true
				damage = append(damage, &SectionError{c.Path, 0, parser.Path, u.offset, u.offset + int64(len(u.src)), "without the damaged part it cannot be read: " + perr.Error()})
				return nil
			}
			if r.IsPacket {
				if next >= len(u.flows) {
					return errPart
				}
				id := u.flows[next]
				f := byID[id]
				p := r.Packet(b)
				if f == nil || u.begins[next] {
					f = &pcap.Flow{Key: pcap.KeyOf(&p, c.files[i].through), Source: c.files[i].Name}
					byID[id] = f
					flows = append(flows, f)
				}
				f.Packets = append(f.Packets, p)
				next++
			}
			b = b[r.Size:]
		}
		return nil
	})
	for _, f := range flows {
		f.SortByTime()
	}
	return flows, damage, err
}

// Verify reads everything and returns what is damaged, nothing if all is well.
func (c *Corpus) Verify() []error {
	var all []error
	for _, d := range c.Damage {
		all = append(all, errors.New(d))
	}
	for i := range c.files {
		damage, err := c.Salvage(i, io.Discard)
		for _, d := range damage {
			all = append(all, d)
		}
		if err != nil {
			all = append(all, err)
		}
		if c.plainStream(i) == streamPlain {
			if err := c.restore(i, streamPlain, io.Discard, &damage); err != nil {
				all = append(all, err)
			}
		}
		for _, j := range c.ofFile[i] {
			s := c.sections[j]
			if s.kind == sectionPart || s.kind == sectionRaw {
				continue
			}
			if _, _, err := c.section(s.offset, nil); err != nil {
				all = append(all, &SectionError{c.Path, s.offset, c.files[i].Name, 0, 0, err.Error()})
			}
		}
	}
	return all
}

// DecodeFile restores file 0 of a corpus to the path back.
func DecodeFile(in, back string) error {
	c, err := OpenCorpus(in)
	if err != nil {
		return err
	}
	defer c.Close()
	if len(c.files) == 0 {
		return fmt.Errorf("%s holds no file", in)
	}
	return atomicfile.Write(back, func(w io.Writer) error { return c.Restore(0, w) }, atomicfile.Options{Mode: c.Mode()})
}

// Tokens returns the tokens of each flow of file i.
func (c *Corpus) Tokens(i int) ([][]uint16, error) {
	flows, damage, err := c.Flows(i)
	if err != nil {
		return nil, err
	}
	all := make([][]uint16, len(flows))
	for j, f := range flows {
		all[j] = Encode(f)
	}
	if len(damage) > 0 {
		return all, damage[0]
	}
	return all, nil
}
