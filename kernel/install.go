package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"trafficgpt/atomicfile"
)

// SpecName is the kernel's name where none is given.
const SpecName = "trafficgpt"

// namePattern is what Jupyter accepts as a kernel's name.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// ValidName says whether Jupyter accepts a kernel's name.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// InstallOptions says where a kernelspec is or goes, and what is in it.
type InstallOptions struct {
	// Spec is the template of kernel.json, in which {executable} stands for the
	// program's absolute path. Install needs it, Uninstall does not.
	Spec []byte
	// Prefix is a folder: the kernelspec is in its share/jupyter. Empty means
	// the user's own.
	Prefix string
	// SysPrefix takes the active virtual or conda environment, or Python's
	// prefix, where Prefix is empty.
	SysPrefix bool
	// Name is the kernel's name; empty means SpecName.
	Name string
}

// dir is the kernelspec's folder.
func (o *InstallOptions) dir() (string, error) {
	name := o.Name
	if name == "" {
		name = SpecName
	}
	if !ValidName(name) {
		return "", fmt.Errorf("InstallOptions.Name is %q: it holds letters, digits, '.', '_' and '-' only", name)
	}
	switch {
	case o.Prefix != "":
		abs, err := filepath.Abs(o.Prefix)
		if err != nil {
			return "", fmt.Errorf("failed to find %s: %w", o.Prefix, err)
		}
		return filepath.Join(abs, "share", "jupyter", "kernels", name), nil
	case o.SysPrefix:
		prefix, err := sysPrefix()
		if err != nil {
			return "", err
		}
		return filepath.Join(prefix, "share", "jupyter", "kernels", name), nil
	}
	data, err := dataDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "kernels", name), nil
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

// Install makes the kernel known to Jupyter, in place of one of that name, and
// returns the kernelspec's folder.
func Install(o InstallOptions) (dir string, err error) {
	if dir, err = o.dir(); err != nil {
		return "", err
	}
	return dir, install(dir, o.Spec)
}

// install makes the kernelspec's folder, in place of the one that is there.
func install(dir string, template []byte) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("failed to install: this program's path: %w", err)
	}
	argv0, copied := executable, madeByGoRun(executable)
	if copied { // the kernel gets a copy beside its specification
		argv0 = filepath.Join(dir, filepath.Base(executable))
	}
	spec, err := fillSpec(template, argv0)
	if err != nil {
		return fmt.Errorf("failed to install: %w", err)
	}
	return atomicfile.Folder(dir, func(tmp string) error {
		if copied {
			if err := copyFile(filepath.Join(tmp, filepath.Base(executable)), executable); err != nil {
				return err
			}
		}
		files := map[string][]byte{"kernel.json": spec, "logo-svg.svg": logoSVG()}
		for _, size := range []int{32, 64} {
			if files[fmt.Sprintf("logo-%dx%d.png", size, size)], err = logoPNG(size); err != nil {
				return err
			}
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(tmp, name), content, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
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
func fillSpec(template []byte, executable string) ([]byte, error) {
	if len(template) == 0 {
		return nil, errors.New("this program was built without a kernelspec")
	}
	var spec map[string]any
	if err := json.Unmarshal(template, &spec); err != nil {
		return nil, fmt.Errorf("the kernelspec template: %w", err)
	}
	argv, ok := spec["argv"].([]any)
	if !ok {
		return nil, errors.New("the kernelspec template has no argv")
	}
	for i, arg := range argv {
		if arg == "{executable}" {
			argv[i] = executable
		}
	}
	return json.MarshalIndent(spec, "", "  ")
}

// Uninstall takes the kernel out of Jupyter and returns the folder that is gone.
// A kernelspec that is not this program's stays, with an error.
func Uninstall(o InstallOptions) (dir string, err error) {
	if dir, err = o.dir(); err != nil {
		return "", err
	}
	return dir, uninstall(dir)
}

func uninstall(dir string) error {
	spec, err := readSpec(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no kernel is installed in %s", dir)
	}
	if err != nil {
		return err
	}
	if spec.Metadata.Implementation != SpecName {
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
