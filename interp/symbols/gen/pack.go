package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// pack writes files as a zip archive whose entries are compressed by zstd, so
// that each is found by the archive's directory and decoded alone. Equal
// files give equal bytes: no times, sorted names, one thread.
func pack(files map[string][]byte) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	w.RegisterCompressor(zstd.ZipMethodWinZip, zstd.ZipCompressor(
		zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false)))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zstd.ZipMethodWinZip})
		if err != nil {
			return nil, fmt.Errorf("failed to pack %s: %w", name, err)
		}
		if _, err := e.Write(files[name]); err != nil {
			return nil, fmt.Errorf("failed to pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("failed to pack: %w", err)
	}
	return buf.Bytes(), nil
}
