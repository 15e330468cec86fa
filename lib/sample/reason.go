package sample

import "strings"

// reason is an error's text with its numbers left out, so that rejections of
// one kind are counted together.
func reason(err error) string {
	words := strings.Fields(err.Error())
	for i, w := range words {
		if w[0] >= '0' && w[0] <= '9' {
			words[i] = "n" + strings.TrimLeft(w, "0123456789")
		}
	}
	return strings.Join(words, " ")
}
