package mapping

import (
	"fmt"
	"os"
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
		"www.example.com/a":          `reading the URL "www.example.com/a": it does not begin with https:// and a domain`,
		"ftp://www.example.com/a":    `reading the URL "ftp://www.example.com/a": it does not begin with https:// and a domain`,
		"https://www.example.com/%z": `reading the URL: parse "https://www.example.com/%z": invalid URL escape "%z"`,
	} {
		if _, err := Sources(table, url); err == nil || err.Error() != want {
			t.Errorf("Sources(%s): got %v, want %s", url, err, want)
		}
	}
}

func TestSample(t *testing.T) {
	for _, tt := range []struct{ rule, target, want string }{
		{"", "", "docs/photo (1).jpg: https://example.com/docs/photo%20(1).jpg"},
		{"prefix: www/", "strip_prefix: www/, index: [home.htm]", "www/docs/home.htm: https://example.com/docs/home.htm https://example.com/docs/"},
		{"exclude: ['**/*.jpg'], events: [removed], skip_new: true", "", "docs/index.html: https://example.com/docs/index.html"},
		{"include: ['**/v?/*.apk']", "type: directory", "docs/vx/photo.apk: https://example.com/docs/vx/"},
		{"exclude: ['**']", "", ": "},
	} {
		r := &parse(t, oneRule(tt.rule, tt.target)).Rules[0]
		key, urls := r.Sample(&r.Targets[0])
		if got := key + ": " + strings.Join(urls, " "); got != tt.want {
			t.Errorf("%s, %s: got %s, want %s", tt.rule, tt.target, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	got := parse(t, `rules:
- bucket: my-site
  prefix: www/
  targets:
    - {domain: a.example.com, strip_prefix: www/}
    - {domain: b.example.com, strip_prefix: ''}
    - {domain: c.example.com}
- {bucket: my-site, targets: [{domain: d.example.com}]}
`).Warnings().Error()
	want := `mapping.yaml:7: rules[0].targets[2]: the prefix "www/" stays in the URL: https://c.example.com/www/…; set strip_prefix, or strip_prefix: "" if it is meant`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	data, err := os.ReadFile("mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if w := parse(t, string(data)).Warnings(); len(w) > 0 {
		t.Errorf("the shipped table: %v", w)
	}
}
