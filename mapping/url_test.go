package mapping

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCanonicalURL(t *testing.T) {
	for key, want := range map[string]string{
		"photo (1).jpg":           "photo%20(1).jpg",
		"a+b":                     "a%2Bb",
		"100%.txt":                "100%25.txt",
		"图.png":                   "%E5%9B%BE.png",
		"a?b#c":                   "a%3Fb%23c",
		"a\nb":                    "a%0Ab",
		`a\b`:                     "a%5Cb",
		"[a]|^{}`\"<>":            "%5Ba%5D%7C%5E%7B%7D%60%22%3C%3E",
		"\xff":                    "%FF",
		"-._~!$&'()*,;=:@/azAZ09": "-._~!$&'()*,;=:@/azAZ09",
	} {
		if got := join("https://example.com/", key); got != "https://example.com/"+want {
			t.Errorf("join(%q): got %s, want …/%s", key, got, want)
		}
	}
}

// The vectors are 400 awkward keys from a seeded generator. Their URLs were
// made in Node.js from encodeURIComponent, and url is "" where new URL(u).href
// is not u: where a browser would ask for something else.
func TestURLVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/urls.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Key, URL string }
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 400 {
		t.Fatalf("%d vectors, want 400", len(vectors))
	}
	table := parse(t, oneRule("", ""))
	for _, v := range vectors {
		got := ""
		if m := table.Map(Object{Bucket: "my-site", Key: v.Key}); !m.Warning {
			got = m.Targets[0].URL
		}
		if got != v.URL {
			t.Errorf("key %q: got %q, want %q", v.Key, got, v.URL)
		}
	}
}

// stable reports whether a browser leaves a URL as it is. It follows the URL
// Standard: the percent-encode sets of section 1.3, and the states of the basic
// URL parser (section 4.4) that drop or resolve something.
func stable(raw, domain string) bool {
	rest, ok := strings.CutPrefix(raw, "https://"+domain+"/")
	path, query, _ := strings.Cut(rest, "?")
	encodes := func(set string) func(rune) bool {
		return func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(set, r) }
	}
	if !ok || strings.ContainsFunc(path, encodes("\"#<>?^`{}\\")) || strings.ContainsFunc(query, encodes("\"#<>'")) {
		return false
	}
	return !slices.ContainsFunc(strings.Split(strings.ToLower(path), "/"), func(s string) bool {
		s = strings.ReplaceAll(s, "%2e", ".")
		return s == "." || s == ".."
	})
}

// Whatever the table and the key: every URL is one that browsers leave alone,
// stays on its domain and below its root, and leads back to the object.
func FuzzMap(f *testing.F) {
	shipped, err := os.ReadFile("mapping.yaml")
	if err != nil {
		f.Fatal(err)
	}
	all := oneRule("prefix: p", "strip_prefix: p, path: '/图 +/', index: [' i+'], queries: ['a=%20'], spellings: all")
	for _, table := range []string{string(shipped), all, oneRule("", "type: directory"), oneRule("", "type: ignore_params, queries: [v]")} {
		for _, key := range []string{"www/docs/index.html", "p/a b+[c]/ i+", "p../", "p//evil.com", "a/../b", "\xff\n\\?#%2e"} {
			f.Add([]byte(table), key)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		table, err := Parse("t", data)
		if err != nil {
			return
		}
		for i := range table.Rules {
			r := &table.Rules[i]
			sample, _ := table.Sample(r, &r.Targets[0])
			for _, key := range []string{key, sample} {
				o := Object{Bucket: r.Bucket, Key: key, Event: Created}
				for _, target := range table.Map(o).Targets {
					checkTarget(t, table, o, target)
				}
			}
		}
	})
}

func checkTarget(t *testing.T, table *Table, o Object, target Target) {
	t.Helper()
	below := func(root string) bool { return strings.HasPrefix(target.URL, root) }
	if roots := slices.Collect(maps.Keys(table.Roots())); !slices.ContainsFunc(roots, below) {
		t.Errorf("key %q: %s is below none of %q", o.Key, target.URL, roots)
	}
	for _, raw := range append(target.Fallback, target.URL) {
		u, err := url.Parse(raw)
		if err != nil || u.Host != target.Domain || u.User != nil {
			t.Errorf("key %q: %s: host is not %s: %v", o.Key, raw, target.Domain, err)
		}
		if !stable(raw, target.Domain) {
			t.Errorf("key %q: a browser would change %s", o.Key, raw)
		}
	}
	if o.Key == "" {
		return
	}
	sources, err := Sources(table, target.URL)
	isObject := func(s Source) bool {
		return s.Bucket == o.Bucket && (s.Key == o.Key || s.Below && strings.HasPrefix(o.Key, s.Key))
	}
	if err != nil || !slices.ContainsFunc(sources, isObject) {
		t.Errorf("key %q: its URL %s leads to %v, %v", o.Key, target.URL, sources, err)
	}
}
