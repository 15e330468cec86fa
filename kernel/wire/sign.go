package wire

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// replayWindow is how many of the latest signatures are remembered. Jupyter's
// own Session keeps 65,536.
const replayWindow = 1 << 16

// Codec signs and checks messages with the connection's key. It is safe for
// concurrent use. An empty key means no signatures at all, as the
// specification says.
type Codec struct {
	key  []byte
	hash func() hash.Hash
	macs sync.Pool

	mu   sync.Mutex
	seen map[string]struct{}
	ring []string
	next int
}

// NewCodec takes the signature scheme and key of a connection file.
func NewCodec(scheme, key string) (*Codec, error) {
	c := &Codec{key: []byte(key), seen: make(map[string]struct{})}
	switch strings.ToLower(scheme) {
	case "", "hmac-sha256":
		c.hash = sha256.New
	case "hmac-sha1":
		c.hash = sha1.New
	case "hmac-sha384":
		c.hash = sha512.New384
	case "hmac-sha512":
		c.hash = sha512.New
	default:
		return nil, fmt.Errorf("signature scheme %q is not known (hmac-sha256, -sha1, -sha384 and -sha512 are)", scheme)
	}
	c.macs.New = func() any { return hmac.New(c.hash, c.key) }
	return c, nil
}

// sum is the raw MAC of the four JSON parts.
func (c *Codec) sum(parts ...[]byte) []byte {
	mac := c.macs.Get().(hash.Hash)
	mac.Reset()
	for _, p := range parts {
		mac.Write(p)
	}
	sum := mac.Sum(nil)
	c.macs.Put(mac)
	return sum
}

func (c *Codec) sign(parts ...[]byte) []byte {
	if len(c.key) == 0 {
		return []byte{}
	}
	return []byte(hex.EncodeToString(c.sum(parts...)))
}

// verify compares in constant time and refuses what it has accepted before.
func (c *Codec) verify(signature []byte, parts ...[]byte) error {
	if len(c.key) == 0 {
		return nil
	}
	got := make([]byte, hex.DecodedLen(len(signature)))
	if _, err := hex.Decode(got, signature); err != nil {
		return ErrSignature
	}
	if !hmac.Equal(got, c.sum(parts...)) {
		return ErrSignature
	}
	return c.remember(string(got))
}

func (c *Codec) remember(signature string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, dup := c.seen[signature]; dup {
		return ErrReplay
	}
	c.seen[signature] = struct{}{}
	if len(c.ring) < replayWindow {
		c.ring = append(c.ring, signature)
		return nil
	}
	delete(c.seen, c.ring[c.next])
	c.ring[c.next] = signature
	c.next = (c.next + 1) % replayWindow
	return nil
}
