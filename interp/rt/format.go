package rt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// PrepareFormat rewrites a format and its arguments where a verb asks for the
// type or the address of a boxed value, which fmt answers without asking the
// value.
func PrepareFormat(format string, args []any) (string, []any) {
	if !anyBoxed(args) {
		return format, args
	}
	var out strings.Builder
	args = slices.Clone(args)
	n := len(args)
	next := 0
	for i := 0; i < len(format); {
		c := format[i]
		out.WriteByte(c)
		i++
		if c != '%' {
			continue
		}
		start := i
		for i < len(format) && !isVerb(format[i]) {
			switch format[i] {
			case '*':
				next++
			case '[':
				k := 0
				for i++; i < len(format) && format[i] >= '0' && format[i] <= '9'; i++ {
					k = k*10 + int(format[i]-'0')
				}
				if k > 0 {
					next = k - 1
				}
			}
			i++
		}
		if i >= len(format) {
			out.WriteString(format[start:])
			break
		}
		verb := format[i]
		i++
		if verb == '%' {
			out.WriteString(format[start:i])
			continue
		}
		arg := next
		next++
		if arg < n && (verb == 'T' || verb == 'p') {
			if b, ok := args[arg].(Boxed); ok {
				x := b.Unbox()
				var sub any = x.D.Name()
				as := "s"
				if verb == 'p' {
					sub, as = x.V, "p"
				}
				flags := format[start : i-1]
				if !strings.Contains(format, "[") {
					// each argument is used once
					args[arg] = sub
					out.WriteString(flags + as)
					continue
				}
				if j := strings.IndexByte(flags, '['); j >= 0 {
					flags = flags[:j]
				}
				args = append(args, sub)
				fmt.Fprintf(&out, "%s[%d]%s", flags, len(args), as)
				format = format[:i] + reindex(format[i:], next+1)
				continue
			}
		}
		out.WriteString(format[start:i])
	}
	if next < n && n == len(args) && !strings.Contains(format, "[") && anyBoxed(args[next:]) {
		out.WriteString(extra(args[next:]))
		args = args[:next]
	}
	return out.String(), args
}

// extra is what fmt adds for arguments that a format does not use.
func extra(args []any) string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = "<nil>"
		if a != nil {
			list[i] = fmt.Sprintf("%s=%v", DynamicName(a), a)
		}
	}
	return strings.ReplaceAll("%!(EXTRA "+strings.Join(list, ", ")+")", "%", "%%")
}

func anyBoxed(args []any) bool {
	for _, a := range args {
		if _, ok := a.(Boxed); ok {
			return true
		}
	}
	return false
}

func isVerb(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '%'
}

// reindex gives the next directive of a format an explicit argument index.
func reindex(format string, index int) string {
	i := strings.IndexByte(format, '%')
	if i < 0 {
		return format
	}
	j := i + 1
	for j < len(format) && strings.IndexByte("+-# 0", format[j]) >= 0 {
		j++
	}
	if j < len(format) && (format[j] == '[' || format[j] == '%' || format[j] == '*') {
		return format
	}
	k := j
	for k < len(format) && !isVerb(format[k]) {
		if format[k] == '[' || format[k] == '*' {
			return format
		}
		k++
	}
	return format[:k] + fmt.Sprintf("[%d]", index) + format[k:]
}

// PrepareOperands lets fmt.Print see which boxed operands are strings, between
// which it writes no space.
func PrepareOperands(args []any) []any {
	if !anyBoxed(args) {
		return args
	}
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a
		if b, ok := a.(Boxed); ok && b.Unbox().D.Rep.Kind() == reflect.String {
			out[i] = fmt.Sprint(a)
		}
	}
	return out
}
