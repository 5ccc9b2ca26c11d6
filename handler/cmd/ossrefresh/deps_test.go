package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// deps lists the packages that a program of handler/cmd links.
func deps(t *testing.T, program string) []string {
	t.Helper()
	list, _ := depsOnce.LoadOrStore(program, sync.OnceValues(func() ([]byte, error) {
		return exec.Command("go", "list", "-deps", "../"+program).Output()
	}))
	out, err := list.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

var depsOnce sync.Map // by program: two tests ask for each

// The servers that the tool shares with the tests bring no test framework into
// its binary.
func TestToolDoesNotLinkTesting(t *testing.T) {
	t.Parallel()
	linked := deps(t, "ossrefresh")
	if !slices.Contains(linked, "oss-cdn-refresh/handler/runtimetest") {
		t.Fatalf("runtimetest is not among the %d packages that the tool links", len(linked))
	}
	for _, pkg := range linked {
		if pkg == "testing" || strings.HasPrefix(pkg, "testing/") || pkg == "net/http/httptest" {
			t.Errorf("the tool links package %s", pkg)
		}
	}
}

// What the tool alone uses is not in the functions: no other package of the project,
// nor the operations that ask the account for its domains.
func TestFunctionsLinkWhatTheyUse(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"fc", "lambda"} {
		linked := deps(t, command)
		if !slices.Contains(linked, "oss-cdn-refresh/handler/aliyun") {
			t.Fatalf("aliyun is not among the %d packages that %s links", len(linked), command)
		}
		var ours []string
		for _, pkg := range linked {
			if room, isOurs := strings.CutPrefix(pkg, "oss-cdn-refresh/"); isOurs {
				ours = append(ours, room)
			}
		}
		slices.Sort(ours)
		want := []string{"events", "handler", "handler/aliyun", "handler/cmd/" + command, "handler/refresh", "mapping"}
		if !slices.Equal(ours, want) {
			t.Errorf("%s links %q of this project, want %q", command, ours, want)
		}
	}
	binary, err := os.ReadFile(function)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(binary, []byte("RefreshDcdnObjectCaches")) {
		t.Fatal("the function does not have the name of the operation that it calls")
	}
	for _, operation := range strings.Split(strings.ReplaceAll(asked, " and ", ", "), ", ") {
		if bytes.Contains(binary, []byte(operation)) {
			t.Errorf("the function has code that calls %s", operation)
		}
	}
}
