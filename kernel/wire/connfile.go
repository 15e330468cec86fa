package wire

import (
	"encoding/json"
	"fmt"
	"os"

	"trafficgpt/atomicfile"
)

// ConnectionFile is what Jupyter writes for a kernel to bind to.
type ConnectionFile struct {
	Transport       string `json:"transport"`
	IP              string `json:"ip"`
	ShellPort       int    `json:"shell_port"`
	IOPubPort       int    `json:"iopub_port"`
	StdinPort       int    `json:"stdin_port"`
	ControlPort     int    `json:"control_port"`
	HBPort          int    `json:"hb_port"`
	Key             string `json:"key"`
	SignatureScheme string `json:"signature_scheme"`
	KernelName      string `json:"kernel_name,omitempty"`
}

// ReadConnectionFile reads and checks a connection file.
func ReadConnectionFile(path string) (*ConnectionFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the connection file: %w", err)
	}
	var f ConnectionFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("failed to read the connection file %s: %w", path, err)
	}
	if f.IP == "" {
		return nil, fmt.Errorf("connection file %s has no ip", path)
	}
	for name, port := range map[string]int{"shell_port": f.ShellPort, "iopub_port": f.IOPubPort, "stdin_port": f.StdinPort,
		"control_port": f.ControlPort, "hb_port": f.HBPort} {
		if port < 0 || port > 65535 {
			return nil, fmt.Errorf("connection file %s: %s is %d, which is no port", path, name, port)
		}
	}
	return &f, nil
}

// Write stores f readable by its owner only, under a temporary name first.
func (f *ConnectionFile) Write(path string) error {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("failed to write the connection file: %w", err)
	}
	tmp, err := atomicfile.Create(path, atomicfile.Options{Mode: 0o600})
	if err != nil {
		return err
	}
	defer tmp.Discard()
	if err := tmp.Chmod(0o600); err != nil { // the key is in it, whoever could read what stood there
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	if _, err := tmp.Write(raw); err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	return tmp.Commit()
}
