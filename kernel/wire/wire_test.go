package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func testCodec(t testing.TB, key string) *Codec {
	t.Helper()
	c, err := NewCodec("hmac-sha256", key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testMessage(t testing.TB) *Message {
	t.Helper()
	m, err := NewMessage("session", "execute_request", json.RawMessage(`{"msg_id":"p"}`), map[string]any{"code": "a < b && c > \"é😀\""})
	if err != nil {
		t.Fatal(err)
	}
	m.Identities = [][]byte{[]byte("peer")}
	m.Buffers = [][]byte{{0, 1, 2}, {}}
	return m
}

func TestMessageRoundTrip(t *testing.T) {
	for _, key := range []string{"", "secret"} {
		m := testMessage(t)
		got, err := testCodec(t, key).Decode(testCodec(t, key).Encode(m))
		if err != nil {
			t.Fatalf("key %q: %v", key, err)
		}
		if got.Header != m.Header || !bytes.Equal(got.Content, m.Content) || got.ParentHeader().MsgID != "p" {
			t.Errorf("key %q: got %+v, want %+v", key, got, m)
		}
		if len(got.Buffers) != 2 || !bytes.Equal(got.Buffers[0], m.Buffers[0]) || len(got.Identities) != 1 {
			t.Errorf("key %q: buffers %v, identities %q", key, got.Buffers, got.Identities)
		}
		if !bytes.Contains(m.Content, []byte("a < b && c >")) {
			t.Errorf("content is escaped: %s", m.Content)
		}
	}
}

// The signature is what Python's Session computes for these parts.
func TestSignatureIsJupyters(t *testing.T) {
	got := testCodec(t, "a0436f6c-1916-498b-8eb9-e81ab9368e84").sign(
		[]byte(`{"msg_id":"1"}`), []byte("{}"), []byte("{}"), []byte(`{"code":"x"}`))
	const want = "c127e7d687f9b04ac08b5d4d8d044e23d5af43c9f4c7df6ab23ca59210031b80"
	if string(got) != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	valid := func() [][]byte { return testCodec(t, "k").Encode(testMessage(t)) }
	signed := func(header, parent, metadata, content string) [][]byte {
		c := testCodec(t, "k")
		parts := [][]byte{[]byte(header), []byte(parent), []byte(metadata), []byte(content)}
		return append([][]byte{delimiter, c.sign(parts...)}, parts...)
	}
	good := `{"msg_id":"1","msg_type":"t"}`
	for name, test := range map[string]struct {
		frames [][]byte
		want   error
	}{
		"nothing":             {nil, ErrNoDelimiter},
		"no delimiter":        {[][]byte{[]byte("a"), []byte("b")}, ErrNoDelimiter},
		"only a delimiter":    {[][]byte{delimiter}, ErrTruncated},
		"four parts":          {valid()[:5], ErrTruncated},
		"signature not hex":   {[][]byte{delimiter, []byte("zz"), []byte(good), emptyObject, emptyObject, emptyObject}, ErrSignature},
		"signature empty":     {[][]byte{delimiter, {}, []byte(good), emptyObject, emptyObject, emptyObject}, ErrSignature},
		"signature cut":       {append([][]byte{delimiter, valid()[2][:10]}, valid()[3:]...), ErrSignature},
		"another content":     {append(valid()[:6], []byte(`{"code":"rm"}`)), ErrSignature},
		"header no object":    {signed(`"x"`, "{}", "{}", "{}"), ErrHeader},
		"header without type": {signed(`{"msg_id":"1"}`, "{}", "{}", "{}"), ErrHeader},
		"header no JSON":      {signed(`{"msg_id":`, "{}", "{}", "{}"), ErrHeader},
	} {
		if _, err := testCodec(t, "k").Decode(test.frames); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	for _, frames := range [][][]byte{signed(good, "[]", "{}", "{}"), signed(good, "{}", "1", "{}"), signed(good, "{}", "{}", "{"), signed(good, "{}", "{}", "")} {
		if m, err := testCodec(t, "k").Decode(frames); err == nil {
			t.Errorf("%q was accepted as %+v", frames, m)
		}
	}
}

func TestReplayIsRefused(t *testing.T) {
	c, frames := testCodec(t, "k"), testCodec(t, "k").Encode(testMessage(t))
	if _, err := c.Decode(frames); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Decode(frames); !errors.Is(err, ErrReplay) {
		t.Errorf("the second time: %v", err)
	}
	// The same signature in capitals is the same message.
	frames[2] = bytes.ToUpper(frames[2])
	if _, err := c.Decode(frames); !errors.Is(err, ErrReplay) {
		t.Errorf("in capitals: %v", err)
	}
}

func TestReplayWindowIsBounded(t *testing.T) {
	c := testCodec(t, "k")
	for i := range replayWindow + 1000 {
		if err := c.remember(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.seen) != replayWindow || len(c.ring) != replayWindow {
		t.Errorf("%d signatures remembered, want %d", len(c.seen), replayWindow)
	}
	if err := c.remember(fmt.Sprint(replayWindow)); !errors.Is(err, ErrReplay) {
		t.Errorf("a recent signature: %v", err)
	}
}

func TestCodecSchemes(t *testing.T) {
	for _, scheme := range []string{"", "hmac-sha256", "HMAC-SHA256", "hmac-sha1", "hmac-sha384", "hmac-sha512"} {
		a, err := NewCodec(scheme, "k")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := NewCodec(scheme, "k")
		if _, err := b.Decode(a.Encode(testMessage(t))); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	if _, err := NewCodec("hmac-crc32", "k"); err == nil {
		t.Error("hmac-crc32 was accepted")
	}
}

func FuzzDecode(f *testing.F) {
	encode := func(frames [][]byte) []byte { return appendFrames(nil, frames) }
	f.Add(encode(testCodec(f, "").Encode(testMessage(f))))
	f.Add(encode([][]byte{delimiter, {}, []byte("{}"), []byte("{}"), []byte("{}"), []byte("{}")}))
	f.Add([]byte{1, 3, 'a'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		frames := split(raw)
		m, err := testCodec(t, "").Decode(frames)
		if err == nil {
			if m.Header.MsgID == "" || !json.Valid(m.Content) {
				t.Fatalf("accepted %q", frames)
			}
			m.ParentHeader()
		}
		if _, err := testCodec(t, "key").Decode(frames); err == nil {
			t.Fatalf("accepted without a signature: %q", frames)
		}
	})
}

// split cuts raw into frames as a peer would send them.
func split(raw []byte) (frames [][]byte) {
	for len(raw) > 1 {
		n := min(int(raw[1]), len(raw)-2)
		frames = append(frames, raw[2:2+n])
		raw = raw[2+n:]
	}
	return frames
}
