package kernel

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// entry is one executed cell.
type entry struct {
	Session int    `json:"-"`
	Line    int    `json:"-"`
	Input   string `json:"in"`
	Output  string `json:"out,omitempty"`
}

// lockWait is how long another kernel's turn at the file is waited for. Each
// holds it only while it reads or writes.
const lockWait = 2 * time.Second

// saveDelay gathers cells that end close together into one transaction.
const saveDelay = 300 * time.Millisecond

var cellsBucket = []byte("cells")

// history keeps the cells of all sessions in a file that all kernels of a
// user share. Without the file it keeps those of this session.
type history struct {
	path string
	log  *slog.Logger

	ready   chan struct{} // closed when session is known and path settled
	mu      sync.Mutex
	session int
	own     []entry // of this session
	saved   int     // how many of own are in the file
	timer   *time.Timer
	file    sync.Mutex // one transaction at a time; taken before mu
}

// openHistory takes the next session number of the file, in the background: the
// disk, or another kernel's turn at the file, may take their time. A path that
// is empty or cannot be used means memory only, which is logged.
func openHistory(path string, log *slog.Logger) *history {
	h := &history{path: path, log: log, session: 1, ready: make(chan struct{})}
	go func() {
		defer close(h.ready)
		if path != "" {
			h.open()
		}
	}()
	return h
}

func (h *history) open() {
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		h.giveUp(err)
		return
	}
	err := h.update(func(b *bolt.Bucket) error {
		n, err := b.NextSequence()
		h.session = int(n)
		return err
	})
	if err != nil {
		h.giveUp(err)
	}
}

func (h *history) giveUp(err error) {
	h.log.Warn("history is kept for this session only", "file", h.path, "error", err)
	h.path = ""
}

func (h *history) update(do func(*bolt.Bucket) error) error {
	db, err := bolt.Open(h.path, 0o600, &bolt.Options{Timeout: lockWait})
	if err != nil {
		return fmt.Errorf("failed to open the history %s: %w", h.path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(cellsBucket)
		if err != nil {
			return err
		}
		return do(b)
	})
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}

// add remembers a cell; the file gets it soon after.
func (h *history) add(line int, input, output string) {
	<-h.ready
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own = append(h.own, entry{h.session, line, input, output})
	if h.path != "" && h.timer == nil {
		h.timer = time.AfterFunc(saveDelay, h.save)
	}
}

// save writes what the file does not have yet.
func (h *history) save() {
	<-h.ready
	h.file.Lock()
	defer h.file.Unlock()
	h.mu.Lock()
	h.timer = nil
	fresh := slices.Clone(h.own[h.saved:])
	path := h.path
	h.mu.Unlock()
	if path == "" || len(fresh) == 0 {
		return
	}
	err := h.update(func(b *bolt.Bucket) error {
		for _, e := range fresh {
			value, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if err := b.Put(historyKey(e.Session, e.Line), value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		// They stay in memory and are tried again with the next cell.
		h.log.Warn("history not saved", "error", err)
		return
	}
	h.mu.Lock()
	h.saved += len(fresh)
	h.mu.Unlock()
}

func (h *history) close() { h.save() }

func historyKey(session, line int) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(session))
	return binary.BigEndian.AppendUint64(key, uint64(line))
}

// all gives every known cell, oldest first.
func (h *history) all() []entry {
	h.save()
	h.mu.Lock()
	path, own := h.path, slices.Clone(h.own)
	h.mu.Unlock()
	if path == "" {
		return own
	}
	h.file.Lock()
	defer h.file.Unlock()
	past, err := readHistory(path, h.session)
	if err != nil {
		h.log.Warn("history not read", "error", err)
	}
	return append(past, own...)
}

// readHistory reads the cells of all sessions but the given one.
func readHistory(path string, except int) (entries []entry, err error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("failed to open the history %s: %w", path, err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(cellsBucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if len(k) != 16 {
				return fmt.Errorf("key of %d bytes in the history", len(k))
			}
			e := entry{Session: int(binary.BigEndian.Uint64(k)), Line: int(binary.BigEndian.Uint64(k[8:]))}
			if err := json.Unmarshal(v, &e); err != nil {
				return fmt.Errorf("cell %d/%d of the history: %w", e.Session, e.Line, err)
			}
			if e.Session != except {
				entries = append(entries, e)
			}
			return nil
		})
	})
	return entries, err
}
