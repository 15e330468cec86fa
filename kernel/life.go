package kernel

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// parentPoll is how often the parent process is looked for.
const parentPoll = time.Second

// watch starts what ends or interrupts the kernel from outside the protocol:
// interrupts of the process and the death of the parent.
func (s *server) watch(opts Options) (stop func()) {
	release := func() {}
	if opts.Catch != nil {
		release = opts.Catch(s.interrupt)
	}
	done := make(chan struct{})
	parent := opts.Parent
	if parent == 0 {
		// Jupyter tells its kernels who started them; nobody else does, and
		// then nobody is watched. What is not a number names nobody.
		parent, _ = strconv.Atoi(os.Getenv("JPY_PARENT_PID"))
	}
	if parent > 0 {
		go s.watchParent(parent, done)
	}
	return func() {
		release()
		close(done)
	}
}

func (s *server) watchParent(parent int, done chan struct{}) {
	direct := os.Getppid() == parent
	tick := time.NewTicker(parentPoll)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if direct && os.Getppid() != parent || !direct && !alive(parent) {
			s.log.Info("the parent process is gone", "pid", parent)
			s.shutdown()
			return
		}
	}
}

// alive asks for a process that is not our own parent (a launcher may stand
// between).
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	if runtime.GOOS == "windows" {
		return true
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || os.IsPermission(err)
}

// userDataDir is where Jupyter keeps a user's kernels and data.
func userDataDir(home string) string {
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Jupyter")
	case "windows":
		if d := os.Getenv("APPDATA"); d != "" {
			return filepath.Join(d, "jupyter")
		}
		return filepath.Join(home, "AppData", "Roaming", "jupyter")
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "jupyter")
	}
	return filepath.Join(home, ".local", "share", "jupyter")
}
