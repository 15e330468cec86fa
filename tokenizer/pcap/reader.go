package pcap

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Capture is a capture file that has been read.
type Capture struct {
	Path        string
	Format      Format
	Compression string // "gzip", "zstd" or ""
	Big         bool   // big-endian (its last section, in pcapng)
	Nano        bool   // some interface counts finer than microseconds
	Sections    int
	Interfaces  []Interface
	Packets     []Packet
	Warnings    []string // what could not be read, each with file and offset
	Size        int64    // bytes of the capture, uncompressed
}

// Read reads a pcap or pcapng file, also compressed with gzip or zstd. A file
// that is no capture is an *Error. When a capture is cut or corrupt, the packets
// before that place are returned and a warning says where and why.
func Read(path string) (*Capture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("failed to read %s: %w", path, err)
	}
	if st.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a capture file", path)
	}
	in, compression, closer, err := Uncompressed(f)
	if err != nil {
		return nil, &Error{path, 0, err.Error()}
	}
	defer closer()
	var buf bytes.Buffer
	if compression == "" {
		buf.Grow(int(st.Size()) + bytes.MinRead)
	}
	_, readErr := buf.ReadFrom(in)
	c, err := parse(path, buf.Bytes())
	if err != nil {
		if readErr != nil {
			return nil, &Error{path, int64(buf.Len()), readErr.Error()}
		}
		return nil, err
	}
	c.Compression = compression
	if readErr != nil {
		c.Warnings = append(c.Warnings, (&Error{path, int64(buf.Len()), "the file cannot be read on: " + readErr.Error()}).Error())
	}
	return c, nil
}

// Parse is Read for a capture that is in memory already. The packets refer to b.
func Parse(name string, b []byte) (*Capture, error) {
	in, compression, closer, err := Uncompressed(bytes.NewReader(b))
	if err != nil {
		return nil, &Error{name, 0, err.Error()}
	}
	defer closer()
	if compression == "" {
		return parse(name, b)
	}
	plain, readErr := io.ReadAll(in)
	c, err := parse(name, plain)
	if err != nil {
		return nil, err
	}
	c.Compression = compression
	if readErr != nil {
		c.Warnings = append(c.Warnings, (&Error{name, int64(len(plain)), "the file cannot be read on: " + readErr.Error()}).Error())
	}
	return c, nil
}

func parse(path string, b []byte) (*Capture, error) {
	p := Parser{Path: path}
	c := &Capture{Path: path, Size: int64(len(b))}
	for rest := b; ; {
		r, err := p.Next(rest, true)
		if err == io.EOF {
			break
		}
		if err != nil {
			if !p.started {
				return nil, err
			}
			p.Warnings = append(p.Warnings, err.Error())
			break
		}
		if r.IsPacket {
			c.Packets = append(c.Packets, r.Packet(rest))
		}
		rest = rest[r.Size:]
	}
	c.Format, c.Big, c.Sections, c.Interfaces, c.Warnings = p.Format, p.Big, p.Sections, p.Interfaces, p.Warnings
	c.Nano = fine(p.Interfaces)
	return c, nil
}

func fine(all []Interface) bool {
	for _, i := range all {
		if i.Units > 1e6 || i.Units == 0 {
			return true
		}
	}
	return false
}

// Packet makes the Packet of a record that begins at b. It refers to b.
func (r *Record) Packet(b []byte) Packet {
	return Packet{
		Time:      time.Unix(r.Sec, int64(r.Nsec)).UTC(),
		Data:      b[r.Lo:r.Hi:r.Hi],
		Length:    max(r.Wire, r.Hi-r.Lo),
		LinkType:  r.LinkType,
		Interface: r.Iface,
	}
}

// Uncompressed looks at the first bytes of r and takes gzip or zstd off. The
// function it returns releases the decoder; it does not close r.
func Uncompressed(r io.Reader) (plain io.Reader, compression string, release func(), err error) {
	none := func() {}
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return nil, "", none, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, "", none, fmt.Errorf("failed to read gzip: %w", err)
		}
		return z, "gzip", none, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, "", none, fmt.Errorf("failed to read zstd: %w", err)
		}
		return z, "zstd", z.Close, nil
	}
	return br, "", none, nil
}

// Reader reads the packets of a capture one after the other, in the memory of
// a buffer that holds the largest of them.
type Reader struct {
	Parser

	in      io.Reader
	buf     []byte
	lo, hi  int
	eof     bool
	readErr error
	done    error
	release func()
}

// NewReader reads a capture (pcap or pcapng, also in gzip or zstd) from r; name
// stands in errors.
func NewReader(r io.Reader, name string) (*Reader, error) {
	in, _, release, err := Uncompressed(r)
	if err != nil {
		return nil, &Error{name, 0, err.Error()}
	}
	d := &Reader{Parser: Parser{Path: name}, in: in, buf: make([]byte, 1<<20), release: release}
	if _, _, err := d.record(); err != nil {
		release()
		return nil, err
	}
	return d, nil
}

// Close releases what the decompression holds. It does not close the io.Reader.
func (d *Reader) Close() error {
	d.release()
	d.release = func() {}
	return nil
}

// Next returns the next packet, io.EOF at the end, or an *Error where the file
// is cut or corrupt. The packet's Data is valid until the next call.
func (d *Reader) Next() (Packet, error) {
	if d.done != nil {
		return Packet{}, d.done
	}
	for {
		r, b, err := d.record()
		if err != nil {
			d.done = err
			return Packet{}, err
		}
		if r.IsPacket {
			return r.Packet(b), nil
		}
	}
}

// record returns the next record and the bytes it begins.
func (d *Reader) record() (Record, []byte, error) {
	for {
		b := d.buf[d.lo:d.hi]
		r, err := d.Parser.Next(b, d.eof)
		if err == errMore {
			d.fill()
			continue
		}
		var bad *Error
		if errors.As(err, &bad) && d.eof && d.readErr != nil {
			return r, nil, &Error{d.Path, d.off + int64(len(b)), "the file cannot be read on: " + d.readErr.Error()}
		}
		d.lo += r.Size
		return r, b, err
	}
}

// fill reads more bytes behind those at hand, in a larger buffer when they fill it.
func (d *Reader) fill() {
	if d.lo > 0 {
		d.hi = copy(d.buf, d.buf[d.lo:d.hi])
		d.lo = 0
	}
	if d.hi == len(d.buf) {
		d.buf = append(d.buf, make([]byte, len(d.buf))...)
	}
	n, err := io.ReadAtLeast(d.in, d.buf[d.hi:], 1)
	d.hi += n
	if err != nil {
		d.eof = true
		if err != io.EOF {
			d.readErr = err
		}
	}
}

// compressionOf tells the compression that a file name asks for.
func compressionOf(path string) (plain, compression string) {
	for suffix, name := range map[string]string{".gz": "gzip", ".zst": "zstd"} {
		if strings.HasSuffix(path, suffix) {
			return strings.TrimSuffix(path, suffix), name
		}
	}
	return path, ""
}
