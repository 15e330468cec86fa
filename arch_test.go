package main

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

type goPackage struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

// listPackages asks the go command for every package of the module.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, "trafficgpt/")
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	return pkgs
}

// under reports whether p is one of the rooms or lies in one.
func under(p string, rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return p == r || strings.HasPrefix(p, r+"/") })
}

// TestBans keeps the five bans by which a line knows its room (ARCHITECTURE.md).
func TestBans(t *testing.T) {
	terminal := []string{"github.com/reeflective/readline", "golang.org/x/term", "github.com/charmbracelet/x"}
	zmq := []string{"github.com/go-zeromq"}
	for _, p := range listPackages(t) {
		room := p.ImportPath
		for _, imported := range p.Imports {
			own := strings.TrimPrefix(imported, "trafficgpt/")
			inside := own != imported
			ban := func(broken bool, rule string) {
				if broken {
					t.Errorf("%s imports %s: %s", room, imported, rule)
				}
			}
			ban(under(imported, "github.com/traefik/yaegi") && !under(room, "interp"), "only interp and interp/symbols know yaegi")
			ban(under(imported, zmq...) && !under(room, "kernel"), "only kernel knows ZeroMQ")
			ban(under(imported, terminal...) && !under(room, "repl"), "only repl knows terminals")
			ban(inside && under(room, "lib", "tokenizer", "model") && under(own, "interp", "kernel", "repl", "notebooks"),
				"what cells import knows nothing of the engine and the front ends")
			ban(inside && under(room, "tokenizer") && under(own, "model"), "tokenizer and model never import each other")
			ban(inside && under(room, "model") && under(own, "tokenizer"), "tokenizer and model never import each other")
		}
		for _, part := range strings.Split(room, "/") {
			if slices.Contains([]string{"util", "utils", "common", "helpers", "internal"}, part) {
				t.Errorf("%s: no package is named %s", room, path.Base(room))
			}
		}
	}
}
