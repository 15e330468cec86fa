package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Spec is the kernelspec template, kernel.json, in which {executable} stands
// for the program's absolute path. Main sets it before any command runs.
var Spec []byte

// specName is the kernel's name where none is given.
const specName = "trafficgpt"

// namePattern is what Jupyter accepts as a kernel's name.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

const installHelp = `trafficgpt install: make the kernel known to Jupyter

usage: trafficgpt install [--user | --sys-prefix | --prefix DIR] [--name NAME]

  --user         for this user (the default)
  --sys-prefix   in the active virtual or conda environment, or Python's prefix
  --prefix DIR   in DIR/share/jupyter
  --name NAME    under another name than trafficgpt

The kernelspec holds the absolute path of this program, so the program must
stay where it is. One built by "go run" is copied beside the kernelspec.

example: trafficgpt install --user && jupyter lab
`

const uninstallHelp = `trafficgpt uninstall: take the kernel out of Jupyter

usage: trafficgpt uninstall [--user | --sys-prefix | --prefix DIR] [--name NAME]

The options are those of install. Only a kernelspec that trafficgpt has
installed is removed.

example: trafficgpt uninstall --user
`

// place says where a kernelspec is.
type place struct {
	user, sysPrefix bool
	prefix, name    string
}

// parsePlace reads the arguments of install and uninstall. A code other than
// -1 is the exit code to end with.
func parsePlace(command, help string, args []string, stdout, stderr io.Writer) (p place, code int) {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&p.user, "user", false, "")
	flags.BoolVar(&p.sysPrefix, "sys-prefix", false, "")
	flags.StringVar(&p.prefix, "prefix", "", "")
	flags.StringVar(&p.name, "name", specName, "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, help)
		return p, 0
	}
	chosen := 0
	for _, c := range []bool{p.user, p.sysPrefix, p.prefix != ""} {
		if c {
			chosen++
		}
	}
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case chosen > 1:
		err = errors.New("--user, --sys-prefix and --prefix exclude each other")
	case !namePattern.MatchString(p.name):
		err = fmt.Errorf("a kernel's name holds letters, digits, '.', '_' and '-' only, not %q", p.name)
	}
	if err != nil {
		fmt.Fprintf(stderr, "trafficgpt %s: %v (trafficgpt %s --help explains)\n", command, err, command)
		return p, 2
	}
	return p, -1
}

// dir is the kernelspec's folder.
func (p place) dir() (string, error) {
	switch {
	case p.prefix != "":
		abs, err := filepath.Abs(p.prefix)
		if err != nil {
			return "", fmt.Errorf("failed to find %s: %w", p.prefix, err)
		}
		return filepath.Join(abs, "share", "jupyter", "kernels", p.name), nil
	case p.sysPrefix:
		prefix, err := sysPrefix()
		if err != nil {
			return "", err
		}
		return filepath.Join(prefix, "share", "jupyter", "kernels", p.name), nil
	}
	data, err := dataDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "kernels", p.name), nil
}

// sysPrefix is the environment that is active.
func sysPrefix() (string, error) {
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(variable); dir != "" {
			return dir, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print(sys.prefix)").Output()
	if err != nil {
		return "", fmt.Errorf("failed to find Python's prefix (is an environment active?): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// InstallCommand is "trafficgpt install". It returns the exit code.
func InstallCommand(args []string, stdout, stderr io.Writer) int {
	p, code := parsePlace("install", installHelp, args, stdout, stderr)
	if code >= 0 {
		return code
	}
	dir, err := p.dir()
	if err == nil {
		err = install(dir)
	}
	if err != nil {
		fmt.Fprintf(stderr, "trafficgpt install: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "installed the kernel %s in %s\n", p.name, dir)
	return 0
}

// install writes a kernelspec folder under a temporary name and moves it into
// place.
func install(dir string) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("failed to find this program's path: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("failed to install: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".trafficgpt-*")
	if err != nil {
		return fmt.Errorf("failed to install: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("failed to install: %w", err)
	}
	if madeByGoRun(executable) {
		name := filepath.Base(executable)
		if err := copyFile(filepath.Join(tmp, name), executable); err != nil {
			return fmt.Errorf("failed to install: %w", err)
		}
		executable = filepath.Join(dir, name)
	}
	spec, err := fillSpec(executable)
	if err != nil {
		return err
	}
	files := map[string][]byte{"kernel.json": spec, "logo-svg.svg": logoSVG()}
	for _, size := range []int{32, 64} {
		if files[fmt.Sprintf("logo-%dx%d.png", size, size)], err = logoPNG(size); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(tmp, name), content, 0o644); err != nil {
			return fmt.Errorf("failed to install: %w", err)
		}
	}
	return replaceDir(dir, tmp)
}

// madeByGoRun recognises the folder that "go run" builds in and deletes.
func madeByGoRun(executable string) bool {
	return strings.Contains(filepath.ToSlash(executable), "/go-build")
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}

// fillSpec puts the executable into the template.
func fillSpec(executable string) ([]byte, error) {
	if len(Spec) == 0 {
		return nil, errors.New("failed to install: this program was built without a kernelspec")
	}
	var spec map[string]any
	if err := json.Unmarshal(Spec, &spec); err != nil {
		return nil, fmt.Errorf("failed to read the kernelspec template: %w", err)
	}
	argv, ok := spec["argv"].([]any)
	if !ok {
		return nil, errors.New("failed to read the kernelspec template: it has no argv")
	}
	for i, arg := range argv {
		if arg == "{executable}" {
			argv[i] = executable
		}
	}
	return json.MarshalIndent(spec, "", "  ")
}

// replaceDir moves tmp to dir; what was there goes away after that.
func replaceDir(dir, tmp string) error {
	old := tmp + "-old"
	err := os.Rename(dir, old)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("failed to replace %s: %w", dir, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("failed to install: %w", err)
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("failed to remove the earlier kernelspec: %w", err)
	}
	return nil
}

// UninstallCommand is "trafficgpt uninstall". It returns the exit code.
func UninstallCommand(args []string, stdout, stderr io.Writer) int {
	p, code := parsePlace("uninstall", uninstallHelp, args, stdout, stderr)
	if code >= 0 {
		return code
	}
	dir, err := p.dir()
	if err == nil {
		err = uninstall(dir)
	}
	if err != nil {
		fmt.Fprintf(stderr, "trafficgpt uninstall: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "removed the kernel %s from %s\n", p.name, filepath.Dir(dir))
	return 0
}

func uninstall(dir string) error {
	spec, err := readSpec(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no kernel is installed in %s", dir)
	}
	if err != nil {
		return err
	}
	if spec.Metadata.Implementation != specName {
		return fmt.Errorf("the kernelspec in %s is not trafficgpt's", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("failed to remove %s: %w", dir, err)
	}
	return nil
}

// installedSpec is what the doctor and uninstall read of a kernelspec.
type installedSpec struct {
	Argv        []string `json:"argv"`
	DisplayName string   `json:"display_name"`
	Metadata    struct {
		Implementation string `json:"implementation"`
	} `json:"metadata"`
}

func readSpec(dir string) (*installedSpec, error) {
	path := filepath.Join(dir, "kernel.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read a kernelspec: %w", err)
	}
	var spec installedSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("failed to read %s: %w", path, err)
	}
	return &spec, nil
}
