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
		if got := join("https://example.com/", key, ""); got != "https://example.com/"+want {
			t.Errorf("join(%q): got %s, want …/%s", key, got, want)
		}
	}
}

// The vectors are 400 awkward keys from a seeded generator. Their URLs were
// made in Node.js from encodeURIComponent, and url is "" where new URL(u).href
// is not u: where a browser would ask for something else. The other spellings
// were made in Python with urllib.parse.quote, and lack https://example.com/;
// those of all are there for the first 120 keys.
func TestURLVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/urls.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Key, URL    string
		Common, All []string
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 400 {
		t.Fatalf("%d vectors, want 400", len(vectors))
	}
	for i, v := range vectors {
		if v.URL == "" {
			if m := parse(t, oneRule("", "")).Map(Object{Bucket: "my-site", Key: v.Key}); !m.Warning {
				t.Errorf("key %q: got %v, want a warning", v.Key, m.Targets)
			}
			continue
		}
		want := []string{strings.TrimPrefix(v.URL, "https://example.com/")}
		common := append(want, v.Common...)
		for setting, want := range map[string][]string{"canonical": want, "common": common, "all": append(common, v.All...)} {
			if got := spelt(t, setting, v.Key); (setting != "all" || i < 120) && !slices.Equal(got, want) {
				t.Errorf("key %q, spellings %s\n got %q\nwant %q", v.Key, setting, got, want)
			}
		}
	}
}

// spelt returns the URLs of a key without their domain.
func spelt(t *testing.T, setting, key string) (paths []string) {
	t.Helper()
	m := parse(t, oneRule("", "spellings: "+setting)).Map(Object{Bucket: "my-site", Key: key, Event: Created})
	for i, target := range m.Targets {
		paths = append(paths, strings.TrimPrefix(target.URL, "https://example.com/"))
		if target.Respelt != (i > 0) {
			t.Errorf("key %q: %s: respelt is %t", key, target.URL, target.Respelt)
		}
	}
	return paths
}

// The rows of the table, each with a key that has it alone.
func TestSpellings(t *testing.T) {
	for _, tt := range []struct{ setting, key, want string }{
		{"canonical", "a b(1)@[2]图.png", "a%20b(1)@%5B2%5D%E5%9B%BE.png"},
		{"common", "plain-name_1.tar.gz", "plain-name_1.tar.gz"},
		{"all", "plain/name.html", "plain/name.html"},
		{"common", "图 1.png", "%E5%9B%BE%201.png"},
		{"common", "img@2x.png", "img@2x.png img%402x.png"},
		{"common", "photo (1).jpg", "photo%20(1).jpg photo%20%281%29.jpg"},
		{"common", "a,b(1)", "a,b(1) a%2Cb%281%29 a%2Cb(1) a,b%281%29"},
		{"common", "[id].js", "%5Bid%5D.js [id].js"},
		{"common", "a|b", "a%7Cb a|b"},
		{"common", "[a|b]", "%5Ba%7Cb%5D [a%7Cb] [a|b]"},
		{"common", "~user/x", "~user/x"},
		{"all", "~user/x", "~user/x %7Euser/x"},
		{"all", "a b.txt", "a%20b.txt a+b.txt"},
		{"all", "a+b", "a%2Bb a%2bb"}, // never bare: that shows another object
		{"all", "图.png", "%E5%9B%BE.png %e5%9b%be.png"},
		{"all", "a\"1 2", "a%221%202 a%221+2"}, // %22 has no letter
		{"all", "[1](图)", "%5B1%5D(%E5%9B%BE) %5B1%5D%28%E5%9B%BE%29 [1](%E5%9B%BE) %5b1%5d(%e5%9b%be) " +
			"%5b1%5d%28%e5%9b%be%29 [1](%e5%9b%be) [1]%28%e5%9b%be%29"},
	} {
		if got := strings.Join(spelt(t, tt.setting, tt.key), " "); got != tt.want {
			t.Errorf("%s of %q\n got %s\nwant %s", tt.setting, tt.key, got, tt.want)
		}
	}
}

// No name has more spellings than the table has rows.
func TestMostSpellings(t *testing.T) {
	for setting, want := range map[string]int{"canonical": 1, "common": 6, "all": 15} {
		if got := len(spelt(t, setting, "a (1)@[图]|~.png")); got != want {
			t.Errorf("%s: %d URLs, want %d", setting, got, want)
		}
	}
}

// A directory covers the files whose URLs begin with its own. So every URL of a
// file is below one of its directory's, each by the same row.
func TestDirectoriesAreSpeltAsTheirFiles(t *testing.T) {
	for _, setting := range []string{"canonical", "common", "all"} {
		for _, dir := range []string{"plain/", "a (1)/", "图@/[x]|/", "a b/~'/"} {
			target := "path: '/p [1]@/', spellings: " + setting
			dirs := locations(t, "type: directory, "+target, dir+"plain.txt")
			files := locations(t, target, dir+"plain.txt")
			for i := range dirs {
				dirs[i] += "plain.txt"
			}
			if !slices.Equal(dirs, files) {
				t.Errorf("%s: directory %q\n  is %q\nfiles %q", setting, dir, dirs, files)
			}
			for _, file := range locations(t, target, dir+"図 (2).txt") {
				holds := func(d string) bool { return strings.HasPrefix(file, strings.TrimSuffix(d, "plain.txt")) }
				if !slices.ContainsFunc(dirs, holds) {
					t.Errorf("%s: %s is below none of %q", setting, file, dirs)
				}
			}
		}
	}
}

func locations(t *testing.T, target, key string) (all []string) {
	t.Helper()
	for _, target := range parse(t, oneRule("", target)).Map(Object{Bucket: "my-site", Key: key, Event: Created}).Targets {
		all = append(all, target.URL)
	}
	return all
}

func TestRespell(t *testing.T) {
	for _, tt := range []struct{ url, setting, want string }{
		{"https://a.com/a%20(1).jpg?v=2", "canonical", ""},
		{"https://a.com/a%20(1).jpg?v=2", "common", "https://a.com/a%20%281%29.jpg?v=2"},
		{"https://a.com/a+(1).jpg", "common", "https://a.com/a%20(1).jpg https://a.com/a%20%281%29.jpg"},
		{"https://a.com/a%20%281%29.jpg", "canonical", "https://a.com/a%20(1).jpg"},
		{"https://a.com/%e5%9b%be/", "common", "https://a.com/%E5%9B%BE/"},
		{"https://a.com/a%2Fb", "common", "https://a.com/a/b"},
		{"https://a.com/a%2F..%2Fb", "all", ""},
		{"https://a.com/", "all", ""},
		{"https://a.com/plain", "all", ""},
	} {
		if got := strings.Join(Respell(tt.url, tt.setting), " "); got != tt.want {
			t.Errorf("Respell(%s, %s): got %s, want %s", tt.url, tt.setting, got, tt.want)
		}
	}
}

func TestSpellingsOf(t *testing.T) {
	table := parse(t, `rules:
- {bucket: a, targets: [{domain: a.com, spellings: canonical}, {domain: b.com, spellings: canonical}]}
- {bucket: b, targets: [{domain: b.com}, {domain: c.com}]}
- {bucket: c, targets: [{domain: c.com, product: cdn, spellings: all}]}
`)
	for domain, want := range map[string]string{"a.com": SpellCanonical, "b.com": SpellCommon, "c.com": SpellAll, "d.com": SpellCommon} {
		if got := table.SpellingsOf(domain); got != want {
			t.Errorf("%s: got %s, want %s", domain, got, want)
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
// stays on its domain and below its root, and leads back to the object, whose
// change is said to refresh it.
func FuzzMap(f *testing.F) {
	shipped, err := os.ReadFile("mapping.yaml")
	if err != nil {
		f.Fatal(err)
	}
	all := oneRule("prefix: p", "strip_prefix: p, path: '/图 +/', index: [' i+'], index_without_slash: true, queries: ['a=%20'], spellings: all")
	styled := oneRule("", "suffixes: ['@!%2e', /s], type: ignore_params, force: true, queries: [v]")
	for _, table := range []string{
		string(shipped), all, styled, oneRule("", "type: directory, spellings: all"), oneRule("", "clean_urls: true, suffixes: ['!s']"),
	} {
		for _, key := range []string{
			"www/docs/index.html", "p/a b+[c]/ i+", "p../", "p//evil.com", "a/../b", "\xff\n\\?#%2e", "a/..html", "...html", ".html",
		} {
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
	i := slices.IndexFunc(sources, isObject)
	if err != nil || i < 0 {
		t.Errorf("key %q: its URL %s leads to %v, %v", o.Key, target.URL, sources, err)
		return
	}
	if !slices.ContainsFunc(sources, func(s Source) bool { return isObject(s) && s.Refreshed() }) {
		t.Errorf("key %q: Sources says that its change does not refresh %s: %+v", o.Key, target.URL, sources[i])
	}
}

// What a browser sends is encoded by the byte.
func TestSent(t *testing.T) {
	const path = "/~!$&'()*,;=:@[]^|\\%41%4+ \"<>`{}\x1f\x7f\x80图"
	const want = "/~!$&'()*,;=:@[]^|\\%41%4+%20%22%3C%3E%60%7B%7D%1F%7F%80%E5%9B%BE"
	if got := sent(path); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
