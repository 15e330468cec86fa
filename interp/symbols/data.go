package symbols

import (
	"archive/zip"
	"bytes"
	_ "embed" // the archives
	"encoding/json"
	"fmt"
	"go/token"
	"go/types"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/tools/go/gcexportdata"
)

//go:embed exports.zip
var exportsZip []byte

//go:embed docs.zip
var docsZip []byte

//go:embed sources.zip
var sourcesZip []byte

// archive reads the entries of an embedded zip archive on demand.
type archive struct {
	data  *[]byte
	once  sync.Once
	files map[string]*zip.File
}

var (
	exportData = archive{data: &exportsZip}
	docData    = archive{data: &docsZip}
	sourceData = archive{data: &sourcesZip}
)

func (a *archive) open() map[string]*zip.File {
	a.once.Do(func() {
		r, err := zip.NewReader(bytes.NewReader(*a.data), int64(len(*a.data)))
		if err != nil {
			panic("symbols: broken archive: " + err.Error()) // it is part of the program
		}
		r.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true)))
		a.files = make(map[string]*zip.File, len(r.File))
		for _, f := range r.File {
			a.files[f.Name] = f
		}
	})
	return a.files
}

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	return data, nil
}

var fset = token.NewFileSet()

// FileSet holds the positions of all that Types returns; parse cells into it
// too, so that one set explains every position.
func FileSet() *token.FileSet { return fset }

var typesOf struct {
	sync.Mutex
	packages map[string]*types.Package // read or mentioned by one that was
	read     map[string]bool
}

// Types returns the types of a package; all packages it returns share the
// packages they mention. It also knows the internal packages that Sources
// import. It may be called from several goroutines.
func Types(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	typesOf.Lock()
	defer typesOf.Unlock()
	if typesOf.read[path] {
		return typesOf.packages[path], nil
	}
	f := exportData.open()[path]
	if f == nil {
		return nil, fmt.Errorf("package %q cannot be imported", path)
	}
	data, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("failed to read the types of %s: %w", path, err)
	}
	if typesOf.packages == nil {
		typesOf.packages, typesOf.read = make(map[string]*types.Package), make(map[string]bool)
	}
	p, err := gcexportdata.Read(bytes.NewReader(data), fset, typesOf.packages, path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the types of %s: %w", path, err)
	}
	typesOf.read[path] = true
	return p, nil
}

// Sources returns the files of a standard package that has generic symbols,
// by name; nil for all others. They are those of linux/amd64.
func Sources(path string) map[string][]byte {
	var files map[string][]byte
	for name, f := range sourceData.open() {
		dir, base, _ := cutLast(name, "/")
		if dir != path {
			continue
		}
		src, err := read(f)
		if err != nil {
			panic("symbols: broken archive: " + err.Error())
		}
		if files == nil {
			files = make(map[string][]byte)
		}
		files[base] = src
	}
	return files
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// docEntry is the documentation of one symbol.
type docEntry struct{ Decl, Doc string }

var docs sync.Map // import path to map[string]docEntry

func docOf(path, symbol string) docEntry {
	if m, ok := docs.Load(path); ok {
		return m.(map[string]docEntry)[symbol]
	}
	f := docData.open()[path]
	if f == nil {
		return docEntry{}
	}
	entries := make(map[string]docEntry)
	if data, err := read(f); err == nil {
		_ = json.Unmarshal(data, &entries) // written by gen; the tests read every entry
	}
	m, _ := docs.LoadOrStore(path, entries)
	return m.(map[string]docEntry)[symbol]
}

// Doc returns the comment of a symbol: "Name", "Type.Method" or "Type.Field",
// of the package itself for "". It is empty for what has none.
func Doc(path, symbol string) string { return docOf(path, symbol).Doc }

// Declaration returns the Go text of a symbol's declaration as go doc shows
// it, without bodies and unexported fields.
func Declaration(path, symbol string) string { return docOf(path, symbol).Decl }
