package kernel

import (
	"slices"
	"strings"
)

type historyQuery struct {
	Output  bool   `json:"output"`
	Raw     bool   `json:"raw"`
	Access  string `json:"hist_access_type"`
	Session int    `json:"session"`
	Start   int    `json:"start"`
	Stop    *int   `json:"stop"`
	N       *int   `json:"n"`
	Pattern string `json:"pattern"`
	Unique  bool   `json:"unique"`
}

func (s *server) historyRequest(r *request) any {
	var q historyQuery
	if err := r.msg.Decode(&q); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	var found []entry
	switch q.Access {
	case "tail":
		found = q.last(s.history.all())
	case "range":
		all := s.history.all() // which waits until the session has its number
		found = q.between(all, s.history.session)
	case "search":
		found = q.matching(s.history.all())
	default:
		return errorReply("BadRequest", "hist_access_type is none of tail, range and search: "+q.Access)
	}
	rows := make([][3]any, len(found))
	for i, e := range found {
		rows[i] = [3]any{e.Session, e.Line, e.Input}
		if q.Output {
			var output any // null when the cell showed nothing
			if e.Output != "" {
				output = e.Output
			}
			rows[i][2] = [2]any{e.Input, output}
		}
	}
	return map[string]any{"status": "ok", "history": rows}
}

// last keeps the last N, all without one.
func (q *historyQuery) last(all []entry) []entry {
	if q.N == nil || *q.N >= len(all) {
		return all
	}
	return all[len(all)-max(0, *q.N):]
}

// between selects lines from Start to before Stop of one session. As in
// IPython a session of 0 is the running one, and a negative one counts back
// from it.
func (q *historyQuery) between(all []entry, current int) []entry {
	session := q.Session
	if session <= 0 {
		session += current
	}
	var found []entry
	for _, e := range all {
		if e.Session == session && e.Line >= q.Start && (q.Stop == nil || e.Line < *q.Stop) {
			found = append(found, e)
		}
	}
	return found
}

// matching selects inputs that match a glob pattern. Unique keeps the latest
// of equal inputs.
func (q *historyQuery) matching(all []entry) []entry {
	pattern := q.Pattern
	if pattern == "" {
		pattern = "*"
	}
	seen := make(map[string]bool)
	var found []entry
	for _, e := range slices.Backward(all) {
		if q.Unique && seen[e.Input] || !glob(pattern, e.Input) {
			continue
		}
		seen[e.Input] = true
		found = append(found, e)
	}
	slices.Reverse(found)
	return q.last(found)
}

// glob matches as SQLite's GLOB does, which is what Jupyter's search means:
// * any text, ? any character, [abc] [a-z] [^a] one of a set; newlines are
// characters like others.
func glob(pattern, text string) bool {
	return globRunes([]rune(pattern), []rune(text))
}

// globRunes walks both, and on a mismatch lets the last * take one more.
func globRunes(p, t []rune) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(t) {
		if i < len(p) && p[i] == '*' {
			star, mark = i, j
			i++
			continue
		}
		if i < len(p) {
			if width, ok := matchOne(p[i:], t[j]); ok {
				i += width
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	return strings.Trim(string(p[i:]), "*") == ""
}

// matchOne matches one pattern element against c and gives its width.
func matchOne(p []rune, c rune) (width int, ok bool) {
	switch p[0] {
	case '?':
		return 1, true
	case '[':
		end := 1
		if end < len(p) && p[end] == '^' {
			end++
		}
		if end < len(p) && p[end] == ']' { // a first ] is itself
			end++
		}
		for end < len(p) && p[end] != ']' {
			end++
		}
		if end >= len(p) {
			return 1, c == '['
		}
		return end + 1, inSet(p[1:end], c)
	}
	return 1, p[0] == c
}

func inSet(set []rune, c rune) bool {
	not := len(set) > 0 && set[0] == '^'
	if not {
		set = set[1:]
	}
	in := false
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			in = in || set[i] <= c && c <= set[i+2]
			i += 2
		} else {
			in = in || set[i] == c
		}
	}
	return in != not
}
