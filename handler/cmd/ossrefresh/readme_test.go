package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/deployment/deploymenttest"
	"oss-cdn-refresh/handler/probe"
	"oss-cdn-refresh/mapping"
)

// The README opens with a command and what it prints. It prints that, with the
// table as it is shipped.
func TestReadmeOpensWithWhatInvokePrints(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))
	var stdout, stderr bytes.Buffer
	if status := run([]string{"invoke", "--function", function, "--mapping", "mapping/testdata/mapping.yaml", "events/oss-put-object.json"}, nil, &stdout, &stderr, os.Getenv); status != 0 {
		t.Fatalf("exit %d: %s", status, &stderr)
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, block, _ := strings.Cut(string(text), "$ scripts/invoke events/oss-put-object.json\n")
		block, _, _ = strings.Cut(block, "```")
		if diff := cmp.Diff(timeless(block), timeless(stdout.String())); diff != "" {
			t.Errorf("%s (-says +prints)\n%s", name, diff)
		}
	}
}

// The READMEs show what setup prints of an empty account.
func TestReadmeShowsWhatSetupPrints(t *testing.T) {
	cloud := deploymenttest.NewTestServer(t, nil)
	environment := map[string]string{
		"CLOUD_ENDPOINT":                  cloud.URL,
		"ALIBABA_CLOUD_ACCESS_KEY_ID":     cloud.Credential.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET": cloud.Credential.AccessKeySecret,
		"ALIBABA_CLOUD_SECURITY_TOKEN":    cloud.Credential.SecurityToken,
	}
	t.Chdir(filepath.Join("..", "..", ".."))
	var stdout, stderr bytes.Buffer
	getenv := func(name string) string { return environment[name] }
	if status := run([]string{"setup", "--mapping", "mapping/testdata/mapping.yaml"}, nil, &stdout, &stderr, getenv); status != 1 {
		t.Fatalf("exit %d: %s", status, &stderr)
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, block, _ := strings.Cut(string(text), "$ ossrefresh setup ")
		_, block, _ = strings.Cut(block, "\n")
		block, _, _ = strings.Cut(block, "$ scripts/deploy")
		if diff := cmp.Diff(block, stdout.String()); diff != "" {
			t.Errorf("%s (-says +prints)\n%s", name, diff)
		}
	}
}

// timeless replaces what differs from run to run and from place to place.
func timeless(text string) string {
	text = regexp.MustCompile(`[\d.]+ ms`).ReplaceAllString(text, "N ms")
	return regexp.MustCompile(`, by .*`).ReplaceAllString(text, ", by FUNCTION")
}

// The READMEs say what a probe costs, and how to keep the function out of it.
func TestReadmeSaysWhatProbeCosts(t *testing.T) {
	table, err := mapping.Parse("mapping.yaml", []byte(probeTable))
	if err != nil {
		t.Fatal(err)
	}
	site, err := probe.NewSite(table, "my-site", "www.example.com", "", time.Now())
	if err != nil || site.Handled {
		t.Fatalf("handled %v, %v", site.Handled, err)
	}
	cost := probe.NewPlan(site).Cost()
	for _, tt := range []struct{ name, objects, refreshes string }{
		{"mapping/README.md", "%d small objects", "%d URLs, %d directories and %d\nIgnoreParams"},
		{"mapping/README.zh-CN.md", "%d 个小对象", "%d 个 URL、%d 个目录和 %d 个 IgnoreParams"},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", tt.name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			fmt.Sprintf(tt.objects, cost.Objects), fmt.Sprintf(tt.refreshes, cost.URLs, cost.Directories, cost.IgnoreParams),
			"`" + probe.FolderPrefix + "TIME/`", "`exclude: ['**/" + probe.FolderPrefix + "*/**']`",
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q", tt.name, want)
			}
		}
	}
}
