package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser finds a Chromium that runs headless.
func browser(t *testing.T) string {
	t.Helper()
	path := findBrowser()
	if path == "" {
		t.Skip("there is no Chromium here (apt-get install chromium)")
	}
	return path
}

func findBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// gitHistory writes a git log of n publishes, one a day, of which each changes the
// same pages.
func gitHistory(t *testing.T, n, pages int) string {
	t.Helper()
	var log bytes.Buffer
	for i := range n {
		fmt.Fprintf(&log, "c%d %d\x00\n", i, 1_700_000_000+86_400*i)
		for p := range pages {
			fmt.Fprintf(&log, ":100644 100644 %d %d M\x00docs/%d/index.html\x00", i+1, i+2, p)
		}
	}
	name := filepath.Join(t.TempDir(), "site.log")
	if err := os.WriteFile(name, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// In a browser, the page draws a bar a day and the quota, and a proposal that is
// switched on is drawn too. Nothing goes wrong and nothing is loaded.
func TestForecastPageInABrowser(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	page := filepath.Join(t.TempDir(), "page.html")
	var stdout, stderr bytes.Buffer
	args := []string{
		"forecast", "--mapping", tableOfB(t), "--git-log", gitHistory(t, 21, 150),
		"--quota", "100", "--html", page,
	}
	if status := run(args, nil, &stdout, &stderr, os.Getenv); status != 1 {
		t.Fatalf("status %d, want 1, since the quota is exceeded: %s", status, &stderr)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	probe := `<script>{
const results = [innerWidth];
const bars = i => document.querySelectorAll('rect[data-series="' + i + '"]').length;
const boxes = document.querySelectorAll("input[type=checkbox]");
results.push("quota:" + document.querySelectorAll("line.quota").length);
results.push("first:" + bars(0), "last:" + bars(boxes.length - 1));
boxes[0].click();
boxes[boxes.length - 1].click();
results.push("first off:" + bars(0), "last on:" + bars(boxes.length - 1));
results.push("fits:" + (document.documentElement.scrollWidth <= innerWidth));
results.push("loaded:" + performance.getEntriesByType("resource").length);
parent.postMessage(results.join(" "), "*");
}</script>`
	probed := strings.Replace(string(text), "</html>", probe+"</html>", 1)
	if err := os.WriteFile(page, []byte(probed), 0o600); err != nil {
		t.Fatal(err)
	}
	const (
		phone, desk = 360, 1200 // widths
		results     = "quota:1 first:20 last:0 first off:0 last on:20 fits:true loaded:0"
	)
	frames := fmt.Sprintf(`<!doctype html>
<script>onmessage = e => document.body.append("[" + e.data + "]")</script>
<iframe src="page.html" width="%d" height="900" style="border:0"></iframe>
<iframe src="page.html" width="%d" height="900" style="border:0"></iframe>`, phone, desk)
	both := filepath.Join(filepath.Dir(page), "both.html")
	if err := os.WriteFile(both, []byte(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	got := string(browse(t, chromium, both, "--window-size=1300,2000", "--hide-scrollbars", "--virtual-time-budget=10000", "--dump-dom"))
	for _, width := range []int{phone, desk} {
		if want := fmt.Sprintf("[%d %s]", width, results); !strings.Contains(got, want) {
			t.Errorf("want %s, got\n%s", want, got)
		}
	}
}

// browse shows a page in Chromium and returns what that prints.
func browse(t *testing.T, chromium, page string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append(args, "--headless", "--no-sandbox", "--disable-gpu",
		"--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		(&url.URL{Scheme: "file", Path: page}).String())
	out, err := exec.CommandContext(ctx, chromium, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
