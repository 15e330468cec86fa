package kernel

import (
	"maps"
	"slices"
	"sync"

	"trafficgpt/kernel/wire"
)

// subshells are further queues of shell requests (JEP 91). What needs no
// running cell is answered at once in them; their cells take turns with those
// of the main shell, because the engine runs one at a time.
type subshells struct {
	mu    sync.Mutex
	lanes map[string]*lane
}

func (b *subshells) lane(id string) *lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lanes[id]
}

func (b *subshells) add(id string, l *lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lanes == nil {
		b.lanes = make(map[string]*lane)
	}
	b.lanes[id] = l
}

func (b *subshells) remove(id string) *lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[id]
	delete(b.lanes, id)
	return l
}

func (b *subshells) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := slices.Sorted(maps.Keys(b.lanes))
	if ids == nil {
		ids = []string{} // null is no list
	}
	return ids
}

func (b *subshells) closeAll() {
	for _, id := range b.ids() {
		b.remove(id).close()
	}
}

func (s *server) createSubshell(r *request) any {
	if r.socket != s.control {
		return errorReply("BadRequest", "subshells are made on the control channel")
	}
	id := wire.NewID()
	s.subshells.add(id, newLane(s))
	return map[string]any{"status": "ok", "subshell_id": id}
}

func (s *server) deleteSubshell(r *request) any {
	var content struct {
		ID string `json:"subshell_id"`
	}
	if err := r.msg.Decode(&content); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	l := s.subshells.remove(content.ID)
	if l == nil {
		return errorReply("UnknownSubshell", "there is no subshell "+content.ID)
	}
	l.close()
	return map[string]any{"status": "ok"}
}

func (s *server) listSubshell(*request) any {
	return map[string]any{"status": "ok", "subshell_id": s.subshells.ids()}
}
