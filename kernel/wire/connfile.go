package wire

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	for _, port := range []int{f.ShellPort, f.IOPubPort, f.StdinPort, f.ControlPort, f.HBPort} {
		if port < 0 || port > 65535 {
			return nil, fmt.Errorf("connection file %s has a port of %d", path, port)
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
	tmp, err := os.CreateTemp(filepath.Dir(path), ".connection-*")
	if err != nil {
		return fmt.Errorf("failed to write the connection file: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(raw)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("failed to write the connection file: %w", err)
	}
	return nil
}
