package ahead

import "syscall"

func init() {
	list := sockets(arguments(), read)
	if len(list) == 0 {
		return
	}
	bound = make(map[string]int)
	for _, s := range list {
		fd, err := listen(s[0], s[1])
		if err != nil {
			for _, fd := range bound {
				syscall.Close(fd)
			}
			bound = nil
			return
		}
		bound[s[0]+":"+s[1]] = fd
	}
}

// arguments is the command line; package os is not initialised yet.
func arguments() []string {
	var args []string
	line := read("/proc/self/cmdline")
	for start, i := 0, 0; i < len(line); i++ {
		if line[i] == 0 {
			args = append(args, line[start:i])
			start = i + 1
		}
	}
	return args
}

// read is the beginning of a file, empty when it cannot be read.
func read(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	buf := make([]byte, 16<<10)
	n, err := syscall.Read(fd, buf)
	if err != nil || n <= 0 {
		return ""
	}
	return string(buf[:n])
}

func listen(network, address string) (int, error) {
	family, to := syscall.AF_UNIX, syscall.Sockaddr(&syscall.SockaddrUnix{Name: address})
	if network == "tcp" {
		in, ok := inet(address)
		if !ok {
			return -1, syscall.EINVAL
		}
		family, to = syscall.AF_INET, in
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if network == "tcp" { // as package net does
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = syscall.Bind(fd, to)
	}
	if err == nil {
		err = syscall.Listen(fd, 4096) // the system's own limit is below or the same
	}
	if err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// inet reads four numbers and a port.
func inet(address string) (*syscall.SockaddrInet4, bool) {
	to, part, n := new(syscall.SockaddrInet4), 0, -1
	for i := 0; i <= len(address); i++ {
		if i < len(address) && address[i] >= '0' && address[i] <= '9' {
			n = max(n, 0)*10 + int(address[i]-'0')
			if n > 65535 {
				return nil, false
			}
			continue
		}
		switch {
		case n < 0, part < 4 && n > 255:
			return nil, false
		case part < 3 && i < len(address) && address[i] == '.', part == 3 && i < len(address) && address[i] == ':':
			to.Addr[part] = byte(n)
		case part == 4 && i == len(address):
			to.Port = n
			return to, true
		default:
			return nil, false
		}
		part, n = part+1, -1
	}
	return nil, false
}
