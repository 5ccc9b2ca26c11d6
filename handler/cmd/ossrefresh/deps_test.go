package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The servers that the tool shares with the tests bring no test framework into
// its binary.
func TestToolDoesNotLinkTesting(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "oss-cdn-refresh/handler/runtimetest") {
		t.Fatalf("runtimetest is not among the %d packages that the tool links", len(linked))
	}
	for _, pkg := range linked {
		if pkg == "testing" || strings.HasPrefix(pkg, "testing/") || pkg == "net/http/httptest" {
			t.Errorf("the tool links package %s", pkg)
		}
	}
}
