package notebooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encodeJSON writes v as Python's json.dumps(v, indent=1, sort_keys=True,
// ensure_ascii=False) does, which is how nbformat stores notebooks.
func encodeJSON(b *bytes.Buffer, v any, depth int) error {
	newline := func(d int) {
		b.WriteByte('\n')
		for range d {
			b.WriteByte(' ')
		}
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			b.WriteString("{}")
			return nil
		}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			newline(depth + 1)
			encodeString(b, k)
			b.WriteString(": ")
			if err := encodeJSON(b, v[k], depth+1); err != nil {
				return err
			}
		}
		newline(depth)
		b.WriteByte('}')
	case []any:
		if len(v) == 0 {
			b.WriteString("[]")
			return nil
		}
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			newline(depth + 1)
			if err := encodeJSON(b, item, depth+1); err != nil {
				return err
			}
		}
		newline(depth)
		b.WriteByte(']')
	case string:
		encodeString(b, v)
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case json.Number:
		b.WriteString(v.String())
	default: // whatever a display bundle holds: to plain JSON values and on
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("a value of type %T has no JSON form: %w", v, err)
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var plain any
		if err := dec.Decode(&plain); err != nil {
			return err
		}
		return encodeJSON(b, plain, depth)
	}
	return nil
}

func encodeString(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r) // an invalid byte becomes U+FFFD
		}
		i += n
	}
	b.WriteByte('"')
}

// multiline reads nbformat's text: a string or a list of lines.
func multiline(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []any:
		var sb strings.Builder
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return "", false
			}
			sb.WriteString(s)
		}
		return sb.String(), true
	}
	return "", false
}

// lines splits as Python's str.splitlines(keepends=True) does, whose idea of
// a line end is wider than \n.
func lines(s string) []any {
	out := []any{}
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch r {
		case '\r':
			if i < len(s) && s[i] == '\n' {
				i++
			}
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		default:
			continue
		}
		out = append(out, s[start:i])
		start = i
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// splits reports whether nbformat stores this MIME type as a list of lines.
func splits(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml"
}

// splitOutput gives the stored form of an output: texts as lists of lines.
func splitOutput(o map[string]any) map[string]any {
	stored := make(map[string]any, len(o))
	for k, v := range o {
		stored[k] = v
	}
	if s, ok := o["text"].(string); ok {
		stored["text"] = lines(s)
	}
	if data, ok := o["data"].(map[string]any); ok {
		split := make(map[string]any, len(data))
		for mime, v := range data {
			if s, ok := v.(string); ok && splits(mime) {
				v = lines(s)
			}
			split[mime] = v
		}
		stored["data"] = split
	}
	return stored
}

// joinOutput is the inverse of splitOutput.
func joinOutput(o map[string]any) map[string]any {
	if s, ok := multiline(o["text"]); ok {
		o["text"] = s
	}
	if data, ok := o["data"].(map[string]any); ok {
		for mime, v := range data {
			if s, ok := multiline(v); ok && splits(mime) {
				data[mime] = s
			}
		}
	}
	return o
}
