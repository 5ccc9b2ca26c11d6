package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// draw is what scripts/pictures sets.
var draw = flag.Bool("draw", false, "draw the READMEs' pictures that are stale")

// enterStudio goes to a directory where files have the names that the tool's users
// see, and returns where the pictures are.
func enterStudio(t *testing.T) (pictures string) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	err = errors.Join(
		os.MkdirAll("dist/local", 0o700),
		os.Symlink(function, "dist/local/fc"),
		os.Symlink(filepath.Join(root, "events"), "events"),
		os.Symlink(filepath.Join(root, "mapping", "testdata"), "mapping"), // the table as it is shipped
	)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, ".pictures")
}

// keep writes a picture, or says that the one that is there is stale.
func keep(t *testing.T, name, why string, picture func() []byte) {
	t.Helper()
	if !*draw {
		t.Errorf("%s is stale: %s\nhint: run scripts/pictures", filepath.Base(name), why)
		return
	}
	data := picture()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s: drawn, %d bytes\n", filepath.Base(name), len(data))
}

// The picture of a run is what a terminal of 100 columns shows of it, but for the
// times, which are those of the run that was drawn.
func TestPictureOfARun(t *testing.T) {
	pictures := enterStudio(t)
	const event = "events/smq-batch.json"
	var printed, complaints bytes.Buffer
	c := &console{out: &printed, err: &complaints, getenv: os.Getenv, bold: true, width: 100}
	command := invokeCommand{Function: "dist/local/fc", Timeout: time.Minute, Event: event}
	if err := command.Run(t.Context(), c); err != nil || complaints.Len() > 0 {
		t.Fatalf("%v, %q", err, &complaints)
	}
	for _, th := range themes {
		name := filepath.Join(pictures, "run-"+th.name+".svg")
		drawn, _ := os.ReadFile(name) // none is stale
		picture := func(text string) string { return drawTerminal("scripts/invoke "+event, text, th) }
		diff := cmp.Diff(string(drawn), picture(withTimesOf(string(drawn), printed.String())))
		if diff != "" {
			keep(t, name, diff, func() []byte { return []byte(picture(printed.String())) })
		}
	}
}

// The picture of the forecast's page carries the hash of the page that it shows.
func TestPictureOfTheForecast(t *testing.T) {
	pictures := enterStudio(t)
	if err := os.WriteFile("my-site.log", siteHistory(), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed, complaints bytes.Buffer
	args := []string{
		"forecast", "--bucket", "my-site", "--git-log", "my-site.log", "--html", "forecast.html",
	}
	if status := run(args, nil, &printed, &complaints, os.Getenv); status != 1 {
		t.Fatalf("exit %d, want 1, since the quota is exceeded: %s", status, &complaints)
	}
	page, err := os.ReadFile("forecast.html")
	if err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("Page SHA-256\x00%x", sha256.Sum256(page))
	for _, th := range themes {
		name := filepath.Join(pictures, "forecast-"+th.name+".png")
		drawn, _ := os.ReadFile(name) // none is stale
		if bytes.Contains(drawn, []byte(mark)) {
			continue
		}
		keep(t, name, "the page is another one", func() []byte {
			chromium := findBrowser()
			if chromium == "" {
				t.Fatal("there is no Chromium to show the page; hint: apt-get install chromium")
			}
			dir, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			img := screenshot(t, chromium, filepath.Join(dir, "forecast.html"), th)
			return encodePNG(t, inFewColors(img), mark)
		})
	}
}

var milli = regexp.MustCompile(`[\d.]+ ms`)

// withTimesOf returns the text with the times of a picture, if that has as many.
func withTimesOf(picture, text string) string {
	times := milli.FindAllString(picture, -1)
	if len(times) != len(milli.FindAllString(text, -1)) {
		return text
	}
	return milli.ReplaceAllStringFunc(text, func(string) string {
		first := times[0]
		times = times[1:]
		return first
	})
}
