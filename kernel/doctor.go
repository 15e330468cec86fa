package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"trafficgpt/kernel/client"
	"trafficgpt/kernel/wire"
)

// doctorPatience is how long the started kernel may take for each answer.
const doctorPatience = 20 * time.Second

// Doctor looks for Jupyter and for installed kernelspecs, starts the kernel as
// Jupyter would and runs a cell in it. It writes a line to out for whatever it
// finds and returns how many checks failed; a Jupyter that is not installed is
// only noted.
func Doctor(out io.Writer) (failed int) {
	d := &doctor{out: out}
	d.program()
	d.jupyter()
	d.specs()
	d.start()
	if d.bad > 0 {
		fmt.Fprintf(out, "\n%d of the checks failed\n", d.bad)
	} else {
		fmt.Fprintln(out, "\nall is well")
	}
	return d.bad
}

type doctor struct {
	out io.Writer
	bad int
}

func (d *doctor) good(topic, format string, args ...any) { d.line("ok  ", topic, format, args) }
func (d *doctor) note(topic, format string, args ...any) { d.line("note", topic, format, args) }
func (d *doctor) fail(topic, format string, args ...any) {
	d.bad++
	d.line("FAIL", topic, format, args)
}

func (d *doctor) line(mark, topic, format string, args []any) {
	fmt.Fprintf(d.out, "%s  %-12s %s\n", mark, topic, fmt.Sprintf(format, args...))
}

func (d *doctor) program() {
	executable, err := os.Executable()
	if err != nil {
		d.fail("program", "its own path cannot be found: %v", err)
		return
	}
	d.good("program", "%s, Go %s on %s/%s", executable, strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH)
}

// jupyter asks the jupyter command for its versions.
func (d *doctor) jupyter() {
	path, err := exec.LookPath("jupyter")
	if err != nil {
		d.note("jupyter", "there is no jupyter command on the PATH (pip install jupyterlab brings one)")
		return
	}
	d.good("jupyter", "%s", path)
	ctx, cancel := context.WithTimeout(context.Background(), doctorPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		d.fail("jupyter", "jupyter --version: %v", err)
		return
	}
	for line := range strings.Lines(string(out)) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), ":")
		name = strings.TrimSpace(name)
		if ok && !strings.Contains(version, "not installed") && slices.Contains([]string{"jupyterlab", "notebook", "jupyter_client", "nbclient"}, name) {
			d.good("jupyter", "%s %s", name, strings.TrimSpace(version))
		}
	}
}

// specs looks at the trafficgpt kernelspecs in the folders that Jupyter
// searches.
func (d *doctor) specs() {
	found := 0
	for _, dir := range specDirs() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // most of the folders do not exist
		}
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			spec, err := readSpec(path)
			if err != nil || spec.Metadata.Implementation != SpecName || strings.HasPrefix(entry.Name(), ".") {
				continue
			}
			found++
			d.spec(entry.Name(), path, spec)
		}
	}
	if found == 0 {
		d.note("kernelspec", "none is installed where Jupyter looks (trafficgpt install --user does that)")
	}
}

func (d *doctor) spec(name, path string, spec *installedSpec) {
	if len(spec.Argv) == 0 {
		d.fail("kernelspec", "%s in %s has no argv", name, path)
		return
	}
	if _, err := exec.LookPath(spec.Argv[0]); err != nil {
		d.fail("kernelspec", "%s in %s starts a program that is gone: %v", name, path, err)
		return
	}
	d.good("kernelspec", "%s (%s) in %s starts %s", name, spec.DisplayName, path, spec.Argv[0])
	if own, err := os.Executable(); err == nil && own != spec.Argv[0] {
		d.note("kernelspec", "%s starts another program than this one", name)
	}
}

// specDirs are the folders that Jupyter searches for kernels.
func specDirs() []string {
	var data []string
	data = append(data, filepath.SplitList(os.Getenv("JUPYTER_PATH"))...)
	if dir, err := dataDir(); err == nil {
		data = append(data, dir)
	}
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(variable); dir != "" {
			data = append(data, filepath.Join(dir, "share", "jupyter"))
		}
	}
	if python, err := exec.LookPath("jupyter"); err == nil {
		// jupyter lies in the bin folder of the environment it looks in.
		data = append(data, filepath.Join(filepath.Dir(filepath.Dir(python)), "share", "jupyter"))
	}
	data = append(data, "/usr/local/share/jupyter", "/usr/share/jupyter")
	var dirs []string
	for _, dir := range data {
		if dir = filepath.Join(dir, "kernels"); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// start runs a kernel of its own and a cell in it.
func (d *doctor) start() {
	dir, err := os.MkdirTemp("", "trafficgpt-doctor-")
	if err != nil {
		d.fail("start", "%v", err)
		return
	}
	defer os.RemoveAll(dir)
	file := &wire.ConnectionFile{Transport: "tcp", IP: "127.0.0.1", Key: wire.NewID(), SignatureScheme: "hmac-sha256"}
	path := filepath.Join(dir, "connection.json")
	if err := file.Write(path); err != nil {
		d.fail("start", "%v", err)
		return
	}
	executable, err := os.Executable()
	if err != nil {
		d.fail("start", "%v", err)
		return
	}
	var output bytes.Buffer
	cmd := exec.Command(executable, "kernel", path)
	cmd.Env = append(os.Environ(), "JUPYTER_DATA_DIR="+dir) // its cell is not the user's history
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	if err := cmd.Start(); err != nil {
		d.fail("start", "%v", err)
		return
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	defer func() {
		// It has ended by itself unless a check failed.
		_ = cmd.Process.Kill()
	}()
	if err := d.converse(path, began, exited); err != nil {
		d.fail("start", "%v", err)
		if output.Len() > 0 {
			d.fail("start", "the kernel printed: %s", strings.TrimSpace(output.String()))
		}
	}
}

func (d *doctor) converse(path string, began time.Time, exited chan error) error {
	file, err := awaitPorts(path, exited)
	if err != nil {
		return err
	}
	c, err := client.Dial(file, doctorPatience)
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := c.Request("kernel_info_request", map[string]any{})
	if err != nil {
		return err
	}
	info, err := c.Finish(id, c.Shell, doctorPatience)
	if err != nil {
		return fmt.Errorf("kernel_info: %w", err)
	}
	content := client.Content(info.Reply)
	d.good("start", "%v %v, protocol %v, answered after %d ms", content["implementation"], content["implementation_version"],
		content["protocol_version"], time.Since(began).Milliseconds())
	began = time.Now()
	e, err := c.Execute("1 + 1", doctorPatience)
	if err != nil {
		return fmt.Errorf("cell 1 + 1: %w", err)
	}
	result := e.Output("execute_result")
	data, _ := result["data"].(map[string]any)
	if data["text/plain"] != "2" {
		return fmt.Errorf("cell 1 + 1 gave %v, reply %v", result, client.Content(e.Reply))
	}
	d.good("cell", "1 + 1 gave 2 after %d ms", time.Since(began).Milliseconds())
	if _, err := c.RequestControl("shutdown_request", map[string]any{"restart": false}); err != nil {
		return err
	}
	select {
	case err := <-exited:
		if err != nil {
			return fmt.Errorf("the kernel ended with %w", err)
		}
	case <-time.After(doctorPatience):
		return errors.New("the kernel does not end when asked to")
	}
	d.good("shutdown", "the kernel ended with exit code 0")
	return nil
}

// awaitPorts waits until the kernel has written the ports it chose.
func awaitPorts(path string, exited chan error) (*wire.ConnectionFile, error) {
	deadline := time.Now().Add(doctorPatience)
	for {
		file, err := wire.ReadConnectionFile(path)
		if err != nil {
			return nil, err
		}
		if file.HBPort != 0 {
			return file, nil
		}
		select {
		case err := <-exited:
			if err == nil {
				err = errors.New("exit code 0")
			}
			return nil, fmt.Errorf("the kernel ended at once: %w", err)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.New("the kernel does not open its sockets")
		}
	}
}
