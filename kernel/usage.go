package kernel

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clockTick is the unit of processor times in /proc: 1/100 s on every Linux
// that Go runs on.
const clockTick = 100

// usageMeter remembers the last measurement, because processor use is a
// difference.
type usageMeter struct {
	mu    sync.Mutex
	at    time.Time
	ticks uint64
	host  [2]uint64 // busy, all
}

// usageRequest reports memory and processor use of the kernel and its child
// processes, in the fields that ipykernel made the convention. Where there is
// no /proc, only the number of processors is known.
func (s *server) usageRequest(*request) any {
	host, _ := os.Hostname() // a machine without a name has an empty one
	reply := map[string]any{"hostname": host, "pid": os.Getpid(), "cpu_count": runtime.NumCPU()}
	var ticks uint64
	var memory int64
	for _, pid := range family(os.Getpid()) {
		ticks += processTicks(pid)
		memory += processMemory(pid)
	}
	if memory > 0 {
		reply["kernel_memory"] = memory
	}
	if vm := hostMemory(); vm != nil {
		reply["host_virtual_memory"] = vm
	}
	m := &s.usage
	m.mu.Lock()
	defer m.mu.Unlock()
	now, cpu := time.Now(), hostTicks()
	reply["kernel_cpu"] = 0.0
	if !m.at.IsZero() && ticks >= m.ticks {
		reply["kernel_cpu"] = 100 * float64(ticks-m.ticks) / clockTick / now.Sub(m.at).Seconds()
	}
	if m.host[1] > 0 && cpu[1] > m.host[1] {
		reply["host_cpu_percent"] = 100 * float64(cpu[0]-m.host[0]) / float64(cpu[1]-m.host[1])
	}
	m.at, m.ticks, m.host = now, ticks, cpu
	return reply
}

// family is a process and all its descendants.
func family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, err := filepath.Glob("/proc/" + strconv.Itoa(all[i]) + "/task/*/children")
		if err != nil {
			continue
		}
		for _, list := range lists {
			raw, err := os.ReadFile(list)
			if err != nil {
				continue // that thread is gone
			}
			for _, field := range strings.Fields(string(raw)) {
				if child, err := strconv.Atoi(field); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// processTicks is the processor time of a process, user and system.
func processTicks(pid int) uint64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold spaces: count fields after it.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	return number(fields[11]) + number(fields[12])
}

// processMemory is the proportional set size in bytes.
func processMemory(pid int) int64 {
	fields := keyed("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if pss, ok := fields["Pss"]; ok {
		return int64(pss) << 10
	}
	return int64(keyed("/proc/" + strconv.Itoa(pid) + "/status")["VmRSS"]) << 10
}

func hostMemory() map[string]any {
	m := keyed("/proc/meminfo")
	total, available := m["MemTotal"]<<10, m["MemAvailable"]<<10
	if total == 0 {
		return nil
	}
	return map[string]any{"total": total, "available": available, "free": m["MemFree"] << 10,
		"used": total - available, "percent": 100 * float64(total-available) / float64(total),
		"buffers": m["Buffers"] << 10, "cached": m["Cached"] << 10}
}

// hostTicks are the busy and the whole time of all processors.
func hostTicks() [2]uint64 {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return [2]uint64{}
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	var all, idle uint64
	for i, field := range strings.Fields(line) {
		if i == 0 || i > 8 { // "cpu"; guest times are in user time already
			continue
		}
		all += number(field)
		if i == 4 || i == 5 { // idle and waiting for disks
			idle += number(field)
		}
	}
	return [2]uint64{all - idle, all}
}

// keyed reads a file of "Key: number" lines.
func keyed(path string) map[string]uint64 {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	out := make(map[string]uint64)
	for line := range strings.Lines(string(raw)) {
		key, rest, ok := strings.Cut(line, ":")
		if fields := strings.Fields(rest); ok && len(fields) > 0 {
			out[key] = number(fields[0])
		}
	}
	return out
}

// number is 0 for what is none, as for a field that is missing.
func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}
