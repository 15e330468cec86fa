// Package ahead binds a kernel's sockets before the rest of the program is
// initialised.
//
// A front end connects a few milliseconds after it has started the kernel, and
// ZeroMQ tries a refused connection again only after 100 ms. The program's
// packages take longer than that to initialise, so the sockets must listen
// before. Of the packages that are ready, Go initialises the one whose import
// path comes first. This one is ready early, since it needs sync and syscall
// alone, and its path comes before unicode, on which strings, reflect, net and
// nearly all else depend: so they wait for it, whatever they are called
// (TestSocketsComeFirst). Whatever is out of the ordinary is left to the caller
// of Take, who then binds and reports errors as usual.
package ahead

import "sync"

var (
	mu    sync.Mutex
	bound map[string]int // network:address -> descriptor
)

// Take hands over the listening descriptor of an address, "tcp" with ip:port
// or "unix" with a path, if there is one.
func Take(network, address string) (fd int, ok bool) {
	mu.Lock()
	defer mu.Unlock()
	fd, ok = bound[network+":"+address]
	delete(bound, network+":"+address)
	return fd, ok
}

// sockets names what a kernel with this command line and connection file
// listens on; nil when that is not plain.
func sockets(args []string, read func(path string) string) [][2]string {
	if len(args) < 3 || args[1] != "kernel" {
		return nil
	}
	file := read(args[len(args)-1])
	network, ip := text(file, "transport"), text(file, "ip")
	separator := ":"
	switch network {
	case "tcp":
	case "ipc":
		network, separator = "unix", "-"
	default:
		return nil
	}
	var found [][2]string
	for _, name := range []string{"shell_port", "control_port", "iopub_port", "stdin_port", "hb_port"} {
		port := value(file, name)
		if ip == "" || port == "" || port == "0" {
			return nil
		}
		for _, c := range port {
			if c < '0' || c > '9' {
				return nil
			}
		}
		found = append(found, [2]string{network, ip + separator + port})
	}
	return found
}

// text is a string of a flat JSON object, empty when it is not a plain one.
func text(file, name string) string {
	v := value(file, name)
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return ""
	}
	return v[1 : len(v)-1]
}

// value is what stands behind a name in a flat JSON object, up to the comma,
// brace or space that ends it. encoding/json is not initialised yet.
func value(file, name string) string {
	name = `"` + name + `"`
	for i := 0; i+len(name) <= len(file); i++ {
		if file[i:i+len(name)] != name {
			continue
		}
		i += len(name)
		for i < len(file) && (space(file[i]) || file[i] == ':') {
			i++
		}
		end := i
		for end < len(file) && file[end] != ',' && file[end] != '}' && file[end] != '\\' && !space(file[end]) {
			end++
		}
		return file[i:end]
	}
	return ""
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
