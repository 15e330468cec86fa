// Package atomicfile replaces files: what is written stands beside the file,
// under a hidden name, until it is complete, and then takes its place in one
// step. Whoever opens the file finds what was there before or all of what is
// new, also after a crash.
//
// One policy for all files of the project:
//
//   - A file that is replaced keeps its permissions. A new one gets those that
//     the umask leaves (Options.Mode).
//   - The data is on the disk before the name changes (fsync).
//   - A symbolic link stays; what it points to is replaced.
//   - A device, a pipe or a socket is written as it is.
//   - What was not finished is removed. Only a killed process leaves a file
//     behind, hidden, whose name begins with Prefix.
//
// Errors name the file that was to be written, never the hidden one.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Prefix begins the names of files that are being written. The name of what they
// are to replace is no part of it: it may be as long as a name can be.
const Prefix = ".writing-"

// Options say how a file is made.
type Options struct {
	// Mode of a file that was not there before, less the umask; 0 stands for 0666.
	Mode fs.FileMode
}

// File is a file that is being written. It is not safe for use by several
// goroutines at once, but for WriteAt.
type File struct {
	*os.File
	path   string // as the caller named it
	target string // the file behind links
	isNew  bool   // nothing is replaced
	direct bool   // a device or a pipe: nothing is renamed
	ended  bool
}

// Create begins a file that is to stand at path. It ends with Commit or Discard.
func Create(path string, o ...Options) (*File, error) {
	f, err := create(path, append(o, Options{})[0])
	if err != nil {
		return nil, failed(path, err)
	}
	return f, nil
}

func create(path string, o Options) (*File, error) {
	f := &File{path: path, target: path}
	mode := o.Mode.Perm()
	if mode == 0 {
		mode = 0o666
	}
	old, err := os.Stat(path) // of what links lead to
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.isNew = true
	case err != nil:
		return nil, err
	case old.IsDir():
		return nil, errors.New("it is a folder")
	case !old.Mode().IsRegular():
		f.direct = true
		f.File, err = os.OpenFile(path, os.O_WRONLY, 0)
		return f, err
	default:
		mode = old.Mode().Perm()
	}
	if f.target, err = behindLinks(path); err != nil {
		return nil, err
	}
	if f.File, err = hidden(filepath.Dir(f.target), mode); err != nil {
		return nil, err
	}
	if !f.isNew {
		if err := f.Chmod(mode); err != nil { // the umask has taken some away
			f.Discard()
			return nil, err
		}
	}
	return f, nil
}

// behindLinks is what path names, which need not be there.
func behindLinks(path string) (string, error) {
	for range 40 {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // not a link, or not there
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", errors.New("too many symbolic links")
}

// hidden makes a file of a name that nothing else has.
func hidden(dir string, mode fs.FileMode) (*os.File, error) {
	for range 1000 {
		name := filepath.Join(dir, Prefix+strconv.FormatUint(rand.Uint64(), 36))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, errors.New("found no free name beside it")
}

// Restrict takes from a new file what mode does not grant to group and others: what
// is made of a private file is private. A file that is replaced keeps its permissions.
func (f *File) Restrict(mode fs.FileMode) error {
	if !f.isNew {
		return nil
	}
	now, err := f.Stat()
	if err == nil {
		err = f.Chmod(now.Mode().Perm() & (mode.Perm() | 0o700))
	}
	if err != nil {
		return failed(f.path, err)
	}
	return nil
}

// Commit puts the file in its place. When that fails, nothing is left of it and
// what stood there before still does.
func (f *File) Commit() error {
	if f.ended {
		return failed(f.path, fs.ErrClosed)
	}
	f.ended = true
	if f.direct {
		if err := f.Close(); err != nil {
			return failed(f.path, err)
		}
		return nil
	}
	err := f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), f.target)
	}
	if err != nil {
		os.Remove(f.Name())
		return failed(f.path, err)
	}
	return nil
}

// Discard drops what was written. After Commit it does nothing.
func (f *File) Discard() {
	if f.ended {
		return
	}
	f.ended = true
	f.Close()
	if !f.direct {
		os.Remove(f.Name())
	}
}

// Write lets write make the contents of the file at path; an error of it is
// returned, and nothing is written then.
func Write(path string, write func(w io.Writer) error, o ...Options) error {
	f, err := Create(path, o...)
	if err != nil {
		return err
	}
	defer f.Discard()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := write(w); err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return failed(path, err)
	}
	return f.Commit()
}

// WriteBytes makes data the contents of the file at path.
func WriteBytes(path string, data []byte, o ...Options) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}, o...)
}

// Folder makes a folder at path of what fill puts into an empty one. A folder that
// stood there is moved aside before and removed after: it is back when that fails.
func Folder(path string, fill func(dir string) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return failed(path, err)
	}
	dir := filepath.Join(filepath.Dir(path), Prefix+strconv.FormatUint(rand.Uint64(), 36))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return failed(path, err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
			err = fmt.Errorf("failed to write %s: %w", path, err)
		}
	}()
	if err := fill(dir); err != nil {
		return err
	}
	old := dir + "-old"
	if err := os.Rename(path, old); errors.Is(err, fs.ErrNotExist) {
		return unnamed(os.Rename(dir, path))
	} else if err != nil {
		return unnamed(err)
	}
	if err := os.Rename(dir, path); err != nil {
		return errors.Join(unnamed(err), os.Rename(old, path))
	}
	return os.RemoveAll(old)
}

// Sweep removes from a folder what killed processes have left half written. Nobody may
// be writing files there.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Prefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Write is that of os.File, with an error that does not name the hidden file.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, unnamed(err)
}

// WriteAt is that of os.File, with an error that does not name the hidden file.
func (f *File) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	return n, unnamed(err)
}

// ReadFrom is that of os.File, with an error that does not name the hidden file.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	n, err := f.File.ReadFrom(r)
	return n, unnamed(err)
}

// unnamed is the cause of an error of the file system, without operation and name.
func unnamed(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

func failed(path string, err error) error {
	return fmt.Errorf("failed to write %s: %w", path, unnamed(err))
}
