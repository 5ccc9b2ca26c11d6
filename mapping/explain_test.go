package mapping

import (
	stdcmp "cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const explained = `rules:
- bucket: my-site
  targets: [{domain: all.example.com}]
- bucket: my-site
  prefix: www/
  events: [created]
  skip_new: true
  exclude: ['**/*.map']
  include: ['**/*.html', '*.js']
  targets: [{domain: www.example.com, strip_prefix: www/, index: [index.html], queries: [v=2]}]
- {bucket: my-site, prefix: img/, targets: [{domain: img.example.com}]}
- {bucket: other, prefix: www/, targets: [{domain: www.example.com, path: /other/, strip_prefix: ''}]}
`

func TestExplain(t *testing.T) {
	chosen := `
2 - prefix "" is shorter than "www/" on line 4
4 + prefix "www/" is the longest that the key begins with
11 - the key does not begin with prefix "img/"
`
	for _, tt := range []struct {
		name string
		o    Object
		want string
	}{
		{"no rule of the bucket", Object{Bucket: "none", Key: "a"}, ""},
		{"no prefix", Object{Bucket: "other", Key: "a"}, `
12 - the key does not begin with prefix "www/"
`},
		{"let through", Object{"my-site", "www/d/a.html", Created, false}, chosen + `4 + events has this event
4 + skip_new lets the object through: it is not new
4 + exclude "**/*.map" does not match
4 + include matches
`},
		{"event", Object{"my-site", "www/a.html", Removed, false}, chosen + `4 - events leaves this event out
`},
		{"new", Object{"my-site", "www/a.html", Created, true}, chosen + `4 + events has this event
4 - skip_new skips the object: it is new
`},
		{"excluded", Object{"my-site", "www/a.map", Created, false}, chosen + `4 + events has this event
4 + skip_new lets the object through: it is not new
4 - exclude "**/*.map" matches
`},
		{"dot segment", Object{"other", "www/../a", Created, false}, `
12 + prefix "www/" is the longest that the key begins with
12 - a browser cannot ask for targets[0]: "." or ".." segment
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			for _, s := range parse(t, explained).Explain(tt.o) {
				fmt.Fprintf(&got, "%d %s %s\n", s.Rule.Line, map[bool]string{true: "+", false: "-"}[s.Passed], s.Text)
			}
			if d := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), got.String()); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

func TestSources(t *testing.T) {
	table := parse(t, explained)
	for url, want := range map[string]string{
		"https://www.example.com/d/a%20b.html":     "line 4: my-site www/d/a b.html",
		"http://WWW.example.com/d/a+b.html?x=1#y":  "line 4: my-site www/d/a b.html",
		"https://www.example.com/%z.html":          "line 4: my-site www/%z.html",
		"https://www.example.com/图 1.html":         "line 4: my-site www/图 1.html",
		"https://www.example.com/a%2Bb|.html":      "line 4: my-site www/a+b|.html",
		"https://www.example.com/d/":               "line 4: my-site www/d/index.html",
		"https://www.example.com":                  "line 4: my-site www/index.html",
		"https://www.example.com/a.map":            "", // excluded
		"https://www.example.com/a/%2e%2e/b.html":  "", // no browser asks for it
		"https://www.example.com/other/www/a.html": "line 4: my-site www/other/www/a.html, line 12: other www/a.html",
		"https://all.example.com/x/y":              "line 2: my-site x/y",
		"https://all.example.com/www/y.html":       "", // another rule has the key
		"https://example.net/a":                    "",
	} {
		sources, err := Sources(table, url)
		if err != nil {
			t.Errorf("Sources(%s): %v", url, err)
		}
		var got []string
		for _, s := range sources {
			got = append(got, fmt.Sprintf("line %d: %s %s", s.Rule.Line, s.Bucket, s.Key))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("Sources(%s): got %v, want %s", url, got, want)
		}
	}
	for url, want := range map[string]string{
		"www.example.com/a":       `reading the URL "www.example.com/a": it does not begin with https:// and a domain`,
		"ftp://www.example.com/a": `reading the URL "ftp://www.example.com/a": it does not begin with https:// and a domain`,
		"https:///a":              `reading the URL "https:///a": it does not begin with https:// and a domain`,
	} {
		if _, err := Sources(table, url); err == nil || err.Error() != want {
			t.Errorf("Sources(%s): got %v, want %s", url, err, want)
		}
	}
}

func TestSourcesTellWhatIsRefreshed(t *testing.T) {
	const none = "no spelling"
	for _, tt := range []struct{ target, url, want string }{
		{"", "/a%20(1).jpg", "refreshed, canonical"},
		{"", "/a (1).jpg", "refreshed, canonical"}, // as people copy it
		{"", "/a%20%281%29.jpg", "refreshed, common"},
		{"spellings: canonical", "/a%20%281%29.jpg", "common"},
		{"", "/a+(1).jpg", "all"},
		{"spellings: all", "/a+(1).jpg", "refreshed, all"},
		{"", "/a%20%281).jpg", none},
		{"spellings: all", "/d%2Fa.jpg", none},
		{"spellings: all", "/100%.txt", none},
		{"spellings: all", "/a^b", none},
		{"spellings: all", `/a\b`, none},
		{"spellings: all", "/图.png", "refreshed, canonical"},
		{"spellings: all", "/%E5%9b%BE.png", none},
		{"queries: [v=2]", "/a.js?v=2", "refreshed, canonical"},
		{"queries: [v=2]", "/a.js?v=3", "odd query, canonical"},
		{"queries: [v=2]", "/@.js?", "odd query, canonical"},
		{"queries: [v=2]", "/%40+.js?v=3", "odd query, all"},
		{"type: ignore_params", "/a@.jpg?any", "refreshed, canonical"},
		{"type: ignore_params, spellings: canonical", "/a%40.jpg?any", "common"},
		{"type: directory", "/%5Ba%5D/b%40c?x", "refreshed, canonical"},
		{"type: directory", "/[a]/b%40c", "refreshed, common"},
		{"type: directory, spellings: canonical", "/[a]/b", "common"},
		{"type: directory", "/[a]/", "refreshed, common"},
		{"type: directory", "/%5ba%5d/", "all"},
		{"type: directory", "/%5ba]/", none},
		{"suffixes: ['!s']", "/a.jpg!s", "refreshed, canonical"},
		{"clean_urls: true", "/d/a", "refreshed, canonical"},
		{"path: /@/", "/%40/a", "refreshed, common"},
	} {
		sources, err := Sources(parse(t, oneRule("", tt.target)), "https://example.com"+tt.url)
		if err != nil || len(sources) == 0 {
			t.Errorf("%s, %s: got %v, %v", tt.target, tt.url, sources, err)
			continue
		}
		var parts []string
		if sources[0].Refreshed() {
			parts = append(parts, "refreshed")
		}
		if sources[0].OddQuery {
			parts = append(parts, "odd query")
		}
		if got := strings.Join(append(parts, stdcmp.Or(sources[0].Spelling, none)), ", "); got != tt.want {
			t.Errorf("%s, %s: got %s, want %s", tt.target, tt.url, got, tt.want)
		}
	}
}

// A URL may show several objects.
func TestSourcesOfPages(t *testing.T) {
	table := parse(t, oneRule("", "index: [i.html], index_without_slash: true, clean_urls: true, suffixes: ['!s', '-%2e']"))
	for url, want := range map[string]string{
		"/docs":       "docs docs.html docs/i.html",
		"/docs/":      "docs/ docs/i.html",
		"/a.jpg!s":    "a.jpg!s a.jpg!s.html a.jpg!s/i.html a.jpg",
		"/a.jpg-.":    "a.jpg-. a.jpg-..html a.jpg-./i.html a.jpg",
		"/i":          "i i/i.html", // i.html is an index
		"/..!s":       "..!s ..!s.html ..!s/i.html",
		"/":           "i.html",
		"/docs/!s":    "docs/!s docs/!s.html docs/!s/i.html",
		"/a%2B%21s":   "a+!s a+!s.html a+!s/i.html a+",
		"/docs/i.htm": "docs/i.htm docs/i.htm.html docs/i.htm/i.html",
	} {
		sources, err := Sources(table, "https://example.com"+url)
		var got []string
		for _, s := range sources {
			got = append(got, s.Key)
		}
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%s: got %q, %v; want %s", url, got, err, want)
		}
	}
}

func TestSample(t *testing.T) {
	for _, tt := range []struct{ rule, target, want string }{
		{"", "", "docs/photo (1).jpg: https://example.com/docs/photo%20(1).jpg https://example.com/docs/photo%20%281%29.jpg"},
		{"", "spellings: canonical", "docs/photo (1).jpg: https://example.com/docs/photo%20(1).jpg"},
		{"prefix: www/", "strip_prefix: www/, index: [home.htm]", "www/docs/home.htm: https://example.com/docs/home.htm https://example.com/docs/"},
		{"exclude: ['**/*.jpg'], events: [removed], skip_new: true", "", "docs/index.html: https://example.com/docs/index.html"},
		{"include: ['**/v?/*.apk']", "type: directory", "docs/vx/name.apk: https://example.com/docs/vx/"},
		{"exclude: ['docs/**']", "index: [home.htm]", "home.htm: https://example.com/home.htm https://example.com/"},
		{"include: ['**/*.{css,js}']", "", "docs/name.css: https://example.com/docs/name.css"},
		{"include: ['**/*.css'], exclude: ['docs/**']", "", "name.css: https://example.com/name.css"},
		{"include: ['*.{{png,gif},jpg}']", "", "name.png: https://example.com/name.png"},
		{"include: ['[a-z]*.gif', '[^a-z].gif']", "", "aname.gif: https://example.com/aname.gif"},
		{"include: ['[^a-z[].gif']", "", "^.gif: https://example.com/%5E.gif"},
		{"include: ['\\*?/**']", "", "*x/docs/photo.jpg: https://example.com/*x/docs/photo.jpg https://example.com/%2Ax/docs/photo.jpg"},
		{"prefix: ../", "strip_prefix: ../", "../docs/photo (1).jpg: https://example.com/docs/photo%20(1).jpg https://example.com/docs/photo%20%281%29.jpg"},
		{"include: ['../*']", "", ": "}, // no browser asks for it
		{"exclude: ['**']", "", ": "},
	} {
		table := parse(t, oneRule(tt.rule, tt.target))
		key, urls := table.Sample(&table.Rules[0], &table.Rules[0].Targets[0])
		if got := key + ": " + strings.Join(urls, " "); got != tt.want {
			t.Errorf("%s, %s: got %s, want %s", tt.rule, tt.target, got, tt.want)
		}
	}
}

// A sample is a key of the rule itself: not of one with a longer prefix.
func TestSampleOfShadowedRule(t *testing.T) {
	table := parse(t, `rules:
- {bucket: my-site, targets: [{domain: a.example.com}]}
- {bucket: my-site, prefix: docs/, targets: [{domain: b.example.com}]}
- {bucket: other, prefix: p/, include: ['*'], targets: [{domain: c.example.com}]}
- {bucket: other, prefix: p/photo, targets: [{domain: d.example.com}]}
- {bucket: other, prefix: p/index, targets: [{domain: d.example.com}]}
- {bucket: other, prefix: p/setup, targets: [{domain: d.example.com}]}
- {bucket: other, prefix: p/name, targets: [{domain: d.example.com}]}
`)
	for i, want := range []string{"photo (1).jpg", "docs/docs/photo (1).jpg", ""} {
		if key, _ := table.Sample(&table.Rules[i], &table.Rules[i].Targets[0]); key != want {
			t.Errorf("rules[%d]: got %q, want %q", i, key, want)
		}
	}
}

func TestSourcesOfDirectories(t *testing.T) {
	table := parse(t, `rules:
- {bucket: all, targets: [{domain: a.com, type: directory}]}
- {bucket: cut, prefix: www/, targets: [{domain: a.com, strip_prefix: www/, path: /x/, type: directory}]}
- {bucket: cut, prefix: www/app/, targets: [{domain: a.com, strip_prefix: www/, path: /x/, type: directory}]}
- {bucket: odd, prefix: img-, targets: [{domain: b.com, type: directory}]}
`)
	for url, want := range map[string]string{
		"https://a.com/":        "all …",
		"https://a.com/d/":      "all d/…",
		"https://a.com/d/e":     "all d/e",
		"https://a.com/x/":      "all x/…, cut www/…, cut www/app/…",
		"https://a.com/x/d/":    "all x/d/…, cut www/d/…",
		"https://a.com/x/app/":  "all x/app/…, cut www/app/…",
		"https://b.com/":        "odd img-…",
		"https://b.com/img-1/":  "odd img-1/…",
		"https://b.com/other/":  "",
		"https://b.com/d/../x/": "",
	} {
		found, err := Sources(table, url)
		if err != nil {
			t.Errorf("Sources(%s): %v", url, err)
		}
		var got []string
		for _, s := range found {
			got = append(got, s.Bucket+" "+s.Key+map[bool]string{true: "…"}[s.Below])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("Sources(%s): got %v, want %s", url, got, want)
		}
	}
}

// Whatever the type of a target, its URLs lead back to the object.
func TestSourcesInvertMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	table := parse(t, `rules:
- bucket: my-site
  targets: [{domain: a.example.com, type: directory}, {domain: a.example.com, type: ignore_params, queries: [v]}]
- bucket: my-site
  prefix: a/
  targets: [{domain: a.example.com, index: [i, j], queries: [v], path: '/[ +/'}, {domain: b.example.com, strip_prefix: a/, type: directory}]
- bucket: my-site
  prefix: a/b
  targets: [{domain: b.example.com, strip_prefix: a/b, path: '/[ x/', index: [i], index_without_slash: true, spellings: all}, {domain: b.example.com, strip_prefix: a/, type: directory}]
- bucket: my-site
  prefix: c/
  targets: [{domain: c.example.com, strip_prefix: c/, clean_urls: true, suffixes: ['!s', '.html', /i], index: [.html]}, {domain: d.example.com, suffixes: ['@!%20'], type: ignore_params}]
- {bucket: my-site, prefix: a/ba/, targets: [{domain: a.example.com, strip_prefix: a/, type: directory, path: '/图 |/'}]}
`)
	for range 5_000 {
		key := ""
		for range 1 + random.IntN(8) {
			key += pick("a", "b", "/", "/", "c/", ".html", "!s", "i", "j", ".", "+", " ", "[", "|", "%20", "图", "?", "\xff", "a/b", "a/ba/")
		}
		o := Object{Bucket: "my-site", Key: key, Event: Created}
		for _, target := range table.Map(o).Targets {
			checkTarget(t, table, o, target)
		}
	}
}
