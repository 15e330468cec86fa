package tokenizer

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// The container ("corpus file") of docs/container.md: a header, then sections,
// each on its own, then an index. All numbers are little-endian.

const (
	corpusMagic    = "TGCORPUS"
	corpusVersion  = 1
	corpusHeader   = 16
	sectionMark    = 0x5347547f // 7f "TGS"
	sectionHeader  = 32
	indexMagic     = "TGCINDEX"
	trailerSize    = 20
	maxSection     = 64 << 20
	sectionFile    = 1 // a source file begins
	sectionPart    = 2 // bytes of a source file as tokens and side-car
	sectionRaw     = 3 // bytes of a source file as they are
	sectionEnd     = 4 // a source file ends
	sectionIndex   = 5
	flagFromFolder = 1 // of a file: restore it into a folder
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Where the bytes of a part belong.
const (
	streamFile  = 0 // the source file itself
	streamPlain = 1 // what its compression holds
)

// section is the header of a section.
type section struct {
	kind uint8
	size uint32 // of the payload
	file uint32
	seq  uint32 // counts the sections of the file
	crc  uint32 // of the payload

	// The rest is not in the header.
	offset int64 // in the corpus file
	stream uint8 // of a part or raw section
	source int64 // offset in the stream
	length int64 // bytes of the stream
}

// put writes the header into the first bytes of b.
func (s *section) put(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b, sectionMark)
	b[4], b[5], b[6], b[7] = s.kind, 0, 0, 0
	le.PutUint32(b[8:], s.size)
	le.PutUint32(b[12:], s.file)
	le.PutUint32(b[16:], s.seq)
	le.PutUint32(b[20:], 0)
	le.PutUint32(b[24:], s.crc)
	le.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
}

// readSection reads a header; ok is false when it is none or is damaged.
func readSection(b []byte) (s section, ok bool) {
	le := binary.LittleEndian
	if len(b) < sectionHeader || le.Uint32(b) != sectionMark || le.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return s, false
	}
	s = section{kind: b[4], size: le.Uint32(b[8:]), file: le.Uint32(b[12:]), seq: le.Uint32(b[16:]), crc: le.Uint32(b[24:])}
	return s, s.size <= maxSection
}

func corpusStart() []byte {
	b := append(make([]byte, 0, corpusHeader), corpusMagic...)
	b = binary.LittleEndian.AppendUint16(b, corpusVersion)
	b = append(b, 0, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// checkStart says whether a file is a corpus that can be read.
func checkStart(r io.ReaderAt, path string) error {
	b := make([]byte, corpusHeader)
	n, err := r.ReadAt(b, 0)
	switch {
	case n < corpusHeader && err != nil && err != io.EOF:
		return fmt.Errorf("failed to read %s: %w", path, err)
	case n < len(corpusMagic) || string(b[:len(corpusMagic)]) != corpusMagic:
		return fmt.Errorf("%s is not a corpus file (it does not begin with %s)", path, corpusMagic)
	case n < corpusHeader:
		return fmt.Errorf("%s: offset %d: the file ends within its header", path, n)
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != corpusVersion {
		return fmt.Errorf("%s is a corpus of version %d; this program reads version %d", path, v, corpusVersion)
	}
	return nil
}

// cursor reads numbers and strings off a payload. After a failure all is zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if c.bad || n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	v := c.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// count is a number that cannot be more than limit.
func (c *cursor) count(limit int) int {
	v := c.uvarint()
	if v > uint64(limit) {
		c.bad = true
		return 0
	}
	return int(v)
}

func (c *cursor) text() string { return string(c.take(c.count(len(c.b)))) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
