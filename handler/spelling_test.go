package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// settings are the table's, each with the spellings of the ones before it.
var settings = []string{"canonical", "common", "all"}

// promised reports whether no link of the encoder may stay stale.
func (e encoder) promised(setting string) bool {
	return slices.Index(settings, setting) >= slices.Index(settings, e.setting)
}

// A link is how some software asks for an object.
type link struct {
	encoder string
	key     string
	target  string // of the request
	stale   bool
}

// linksTo returns the links that reach the object, by all encoders: not a bare
// "+", "#", "?" or "\" of its key, nor a raw "%", nor what browsers drop.
func linksTo(key string) (all []*link) {
	for _, e := range encoders {
		target := e.browser.request(e.link(key))
		asked, ok := origin{}.key(target)
		if ok && asked == key && !strings.Contains(target, "?") {
			all = append(all, &link{encoder: e.name, key: key, target: target})
		}
	}
	return all
}

// A visit is a cache before a bucket whose events the function handles.
type visit struct {
	*lab
	cache
	keys   []string
	links  []*link
	purged int // URLs
}

func newVisit(t *testing.T, target string, keys []string) *visit {
	t.Helper()
	api := &aliyuntest.Server{
		Limits: aliyuntest.Limits{URLsPerDomain: 1e6},
		Quota:  aliyuntest.Quota{URLs: 1e6, Directories: 1e6, IgnoreParams: 1e6},
	}
	table := tableWith(target) + "\nrefresh: {limits: {urls_per_domain: 1000}}"
	return &visit{lab: newLab(t, api, table), cache: cache{origin{}, map[string]string{}}, keys: keys}
}

// tableWith is a table of one target with the given fields.
func tableWith(target string) string {
	return "rules: [{bucket: site, targets: [{domain: www.example.com, " + target + "}]}]"
}

// change puts or removes every object, and tells the function. Then what the
// API has accepted is taken from the cache.
func (v *visit) change(t *testing.T, content string) {
	t.Helper()
	event := "ObjectCreated:PutObject"
	for _, key := range v.keys {
		if content == "" {
			event = "ObjectRemoved:DeleteObject"
			delete(v.origin, key)
		} else {
			v.origin[key] = content
		}
	}
	if report, err := v.handle(t, eventOf(t, event, v.keys), 20*time.Second); err != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, a := range v.api.Accepted()[v.purged:] {
		v.purge(a.Type, a.URL)
		v.purged++
	}
}

func eventOf(t *testing.T, event string, keys []string) []byte {
	t.Helper()
	var records []string
	for _, key := range keys {
		quoted, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		const record = `{"eventName":%q,"oss":{"bucket":{"name":"site"},"object":{"key":%s}}}`
		records = append(records, fmt.Sprintf(record, event, quoted))
	}
	return []byte(`{"events":[` + strings.Join(records, ",") + `]}`)
}

// look fetches every link and marks those that the cache answers with what the
// bucket no longer has.
func (v *visit) look() {
	for _, l := range v.links {
		if v.cache.answer(l.target) != v.origin.answer(l.target) {
			l.stale = true
		}
	}
}

// run visits before there is an object, then after each was put, replaced and
// removed.
func (v *visit) run(t *testing.T) {
	t.Helper()
	v.look()
	for _, content := range []string{"first", "second", ""} {
		v.change(t, content)
		v.look()
	}
}

// counts are of links and of stale ones, by encoder.
func (v *visit) counts() (links, stale map[string]int) {
	links, stale = map[string]int{}, map[string]int{}
	for _, l := range v.links {
		links[l.encoder]++
		if l.stale {
			stale[l.encoder]++
		}
	}
	return links, stale
}

// awkwardNames are keys that people and programs give to objects, and worse.
func awkwardNames(t *testing.T) []string {
	t.Helper()
	names := []string{
		"photo (1).jpg", "img@2x.png", "a,b.jpg", "12:30.log", "AT&T.html", "a$b", "k=v.txt", "it's.txt", "a!b", "a*b", "图.png", "café.png",
		"{x}.jpg", "[id].js", "pages/[id]/x.js", "a|b", "~user/x", "a [1]/index.html", "a^b", "100%.txt", "c++.txt", "v1.0.0-rc.1+build.5.tar.gz",
		"c#.html", "who?.html", "a;b", "新建 文本文档 (2).txt", "图片/子目录/照片，一.jpg", "README.md", "docs/index.html", "index.html", "a//b", "/a", "dir/",
		"dir (1)/", "Ünïcode/ß.txt", "e\u0301\u200bx.txt", "😀👨\u200d👩\u200d👧.png", "\u202eevil.txt", "日本語/ファイル名 [最終].pdf", "한국어.txt", "a&copy.txt",
		"a%20b", "%41", "a%2Fb", "%e4%bd%a0", "100%25", "...", ".hidden", "a.", "-", "_", "~", "*", "(", ")", "'", "\"", "`", "<b>", "a b c", "  two  ", " ", "+", "++",
		"Screenshot 2026-01-02 at 10.11.12.png", "Copy of Report (final) [v2] {draft}.docx", "price=10$&tax=5%.csv", "user@example.com/mail.eml",
		"x,y;z.csv", "foo|bar[0].json", "wp-content/uploads/é(1).jpg", "a/b(c)/d,e/f@g", strings.Repeat("长", 300) + ".txt",
	}
	for c := byte(1); c < 0x80; c++ {
		names = append(names, "a"+string(c)+"b.txt", string(c)+"dir"+string(c)+"/x")
	}
	data, err := os.ReadFile(filepath.Join("..", "mapping", "testdata", "urls.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Key, URL string }
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if v.URL != "" {
			names = append(names, v.Key)
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool { return s == "." || s == ".." })
	})
	if len(names) < 400 {
		t.Fatalf("%d names, want 400 at least", len(names))
	}
	return names
}

// What visitors ask for is what counts, and they ask for what a link's author
// wrote. Whatever made the link, no spelling that is promised stays stale after
// an object was put, replaced or removed.
func TestNoSpellingStaysStale(t *testing.T) {
	t.Parallel()
	names := awkwardNames(t)
	results := map[string]map[string]int{}
	var total map[string]int
	text := fmt.Sprintf("stale links to %d names, by encoder and spellings", len(names))
	for _, setting := range settings {
		target := "spellings: " + setting
		if setting == "common" {
			target = "" // it is the default
		}
		v := newVisit(t, target, names)
		for _, name := range names {
			v.links = append(v.links, linksTo(name)...)
		}
		v.run(t)
		total, results[setting] = v.counts()
		text += fmt.Sprintf("\n  %s: %d URLs for three events", setting, v.purged)
		for _, l := range v.links {
			if e := encoderOf(l.encoder); l.stale && e.promised(setting) {
				t.Errorf("spellings: %s: %q is stale at %s, as %s writes it", setting, l.key, l.target, l.encoder)
			}
		}
	}
	text += fmt.Sprintf("\n  %-20s %6s %10s %7s %4s", "", "links", "canonical", "common", "all")
	for _, e := range encoders {
		text += fmt.Sprintf("\n  %-20s %6d %10d %7d %4d", e.name, total[e.name],
			results["canonical"][e.name], results["common"][e.name], results["all"][e.name])
		if total[e.name] < 250 {
			t.Errorf("%s: only %d links reach their object", e.name, total[e.name])
		}
	}
	t.Log(text)
	// The cache is one that can be stale, or all of this says nothing.
	for _, e := range encoders {
		for _, setting := range settings[:slices.Index(settings, e.setting)] {
			if results[setting][e.name] == 0 {
				t.Errorf("%s: no link is stale with spellings: %s, and %s promises no more", e.name, setting, e.setting)
			}
		}
	}
}

func encoderOf(name string) encoder {
	return encoders[slices.IndexFunc(encoders, func(e encoder) bool { return e.name == name })]
}

// Index pages, queries, image styles and the other types have the spellings too.
func TestNoSpellingOfOtherURLsStaysStale(t *testing.T) {
	t.Parallel()
	var names []string
	for i, name := range awkwardNames(t) {
		if i%6 == 0 && !strings.HasSuffix(name, "/") {
			names = append(names, name)
		}
	}
	for _, tt := range []struct {
		name, target string
		key          string // made of a name
		cut, add     string // of the request's end: "/docs/index.html" is asked for as "/docs"
	}{
		{"index", "index: [index.html]", "%s/index.html", "index.html", ""},
		{"index without slash", "index: [index.html], index_without_slash: true", "%s/index.html", "/index.html", ""},
		{"clean URLs", "clean_urls: true", "%s.html", ".html", ""},
		{"queries", "queries: [v=2]", "%s.js", "", "?v=2"},
		{"suffixes", "suffixes: ['!small']", "%s.jpg", "", "!small"},
		{"ignore_params", "type: ignore_params", "%s.jpg", "", "?w=1"},
		{"suffixes of ignore_params", "type: ignore_params, suffixes: ['!small']", "%s.jpg", "", "!small?w=1"},
		{"directory", "type: directory, path: /", "%s/x.js", "", "?any"},
	} {
		for _, setting := range settings[1:] {
			var keys []string
			for _, name := range names {
				keys = append(keys, fmt.Sprintf(tt.key, name))
			}
			v := newVisit(t, tt.target+", spellings: "+setting, keys)
			for _, key := range keys {
				for _, l := range linksTo(key) {
					target, ok := strings.CutSuffix(l.target, tt.cut)
					l.target = target + tt.add
					if ok && encoderOf(l.encoder).promised(setting) {
						v.links = append(v.links, l)
					}
				}
			}
			v.run(t)
			if len(v.links) < 5*len(names) {
				t.Errorf("%s, %s: only %d links to %d objects", tt.name, setting, len(v.links), len(names))
			}
			for _, l := range v.links {
				if l.stale {
					t.Errorf("%s, %s: %q is stale at %s, as %s writes it", tt.name, setting, l.key, l.target, l.encoder)
				}
			}
		}
	}
}

// The same for any name: what a link asks for is refreshed.
func FuzzNoSpellingStaysStale(f *testing.F) {
	for _, name := range []string{"photo (1).jpg", "图@[|]~+%.png", "a/../b", "{'\"^`\\<>}", "\x00\n\x7f", "a&copy;b#c?d"} {
		f.Add(name)
	}
	handlers := map[string]*handler.Handler{}
	for _, setting := range settings {
		handlers[setting] = rehearsing(f, tableWith("spellings: "+setting))
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) || name == "" || len(name) > 1023 {
			t.Skip()
		}
		for setting, h := range handlers {
			report, err := h.Handle(t.Context(), eventOf(t, "ObjectRemoved:DeleteObject", []string{name}))
			if err != nil {
				t.Fatal(err)
			}
			refreshed := map[string]bool{}
			for _, g := range report.Refreshed {
				for _, url := range g.URLs {
					refreshed[strings.TrimPrefix(url, site)] = true
				}
			}
			for _, l := range linksTo(name) {
				if encoderOf(l.encoder).promised(setting) && !refreshed[l.target] {
					t.Errorf("spellings: %s: %q stays stale at %s, as %s writes it", setting, name, l.target, l.encoder)
				}
			}
		}
	})
}

// rehearsing returns a handler that plans and calls nothing.
func rehearsing(f *testing.F, table string) *handler.Handler {
	f.Helper()
	file := filepath.Join(f.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		f.Fatal(err)
	}
	settings := handler.Settings{MappingFile: file, Output: io.Discard, DryRun: true}
	return handler.New(settings, handler.Platform{
		RequestID: func(context.Context) string { return "" },
	})
}
