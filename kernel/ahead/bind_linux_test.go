package ahead

import (
	"net"
	"testing"
)

func TestListen(t *testing.T) {
	for address, good := range map[string]bool{"127.0.0.1:0": true, "127.0.0.1": false, "256.0.0.1:1": false, "localhost:1": false,
		"::1:1": false, "1.2.3:4": false, "127.0.0.1:70000": false, "127.0.0.1:": false, "": false} {
		if _, ok := inet(address); ok != good {
			t.Errorf("%q is an address: %v", address, ok)
		}
	}
	path := t.TempDir() + "/s"
	fd, err := listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	bound = map[string]int{"unix:" + path: fd}
	if c, err := net.Dial("unix", path); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if _, err := listen("unix", path); err == nil {
		t.Error("a path was bound twice")
	}
	if got, ok := Take("unix", path); got != fd || !ok {
		t.Errorf("took %d, %v", got, ok)
	}
	if _, ok := Take("unix", path); ok {
		t.Error("taken twice")
	}
}
