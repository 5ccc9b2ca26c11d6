package mapping

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// parse reads a table that the test needs to be right.
func parse(tb testing.TB, text string) *Table {
	tb.Helper()
	t, err := Parse("mapping.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// oneRule is a table of a single rule for the bucket my-site and the domain
// example.com, with more keys of the rule and of its target.
func oneRule(rule, target string) string {
	for _, more := range []*string{&rule, &target} {
		if *more != "" {
			*more += ", "
		}
	}
	return fmt.Sprintf("rules: [{%sbucket: my-site, targets: [{%sdomain: example.com}]}]", rule, target)
}

func urls(m Match) []string {
	var all []string
	for _, t := range m.Targets {
		all = append(all, strings.ToLower(string(t.Type[:1]))+" "+t.URL)
	}
	return all
}

func TestMap(t *testing.T) {
	for _, tt := range []struct{ name, rule, target, key, want string }{
		{"plain", "", "", "a/b.png", "f https://example.com/a/b.png"},
		{"strip", "prefix: www/", "strip_prefix: www/", "www/a.png", "f https://example.com/a.png"},
		{"strip part of the prefix", "prefix: a/b/", "strip_prefix: a/", "a/b/c", "f https://example.com/b/c"},
		{"strip within a segment", "prefix: img-", "strip_prefix: img-", "img-a.png", "f https://example.com/a.png"},
		{"nothing left", "prefix: www/", "strip_prefix: www/", "www/", "f https://example.com/"},
		{"path", "", "path: /图 1/", "a.png", "f https://example.com/%E5%9B%BE%201/a.png"},
		{"directory marker", "", "", "docs/", "f https://example.com/docs/"},
		{"slashes stay", "", "", "/a//b", "f https://example.com//a//b"},
		{"no host in the key", "", "", "/evil.com/", "f https://example.com//evil.com/"},
		{"case stays", "", "", "A/b.PNG", "f https://example.com/A/b.PNG"},
		{"index", "", "index: [index.html]", "docs/index.html", "f https://example.com/docs/index.html, f https://example.com/docs/"},
		{"index at the root", "", "index: [index.html, index.htm]", "index.htm", "f https://example.com/index.htm, f https://example.com/"},
		{"no index", "", "index: [index.html]", "docs/my-index.html", "f https://example.com/docs/my-index.html"},
		{
			"queries", "", "index: [i], queries: [v=2, w]", "d/i",
			"f https://example.com/d/i, f https://example.com/d/i?v=2, f https://example.com/d/i?w, " +
				"f https://example.com/d/, f https://example.com/d/?v=2, f https://example.com/d/?w",
		},
		{
			"spellings and queries", "", "index: [i], queries: [v=2]", "[a]/i",
			"f https://example.com/%5Ba%5D/i, f https://example.com/%5Ba%5D/i?v=2, f https://example.com/[a]/i, f https://example.com/[a]/i?v=2, " +
				"f https://example.com/%5Ba%5D/, f https://example.com/%5Ba%5D/?v=2, f https://example.com/[a]/, f https://example.com/[a]/?v=2",
		},
		{"spellings of path and key", "", "spellings: all, path: '/[a] b/'", "c d", "f https://example.com/%5Ba%5D%20b/c%20d, f https://example.com/[a]%20b/c%20d, f https://example.com/%5ba%5d%20b/c%20d, f https://example.com/%5Ba%5D+b/c+d"},
		{"spellings of a path alone", "", "path: /@/", "c", "f https://example.com/@/c, f https://example.com/%40/c"},
		{"index without slash", "", "index: [i], index_without_slash: true", "a/b/i", "f https://example.com/a/b/i, f https://example.com/a/b/, f https://example.com/a/b"},
		{"index without slash at the root", "", "index: [i], index_without_slash: true, path: /p/", "i", "f https://example.com/p/i, f https://example.com/p/"},
		{"index without slash below empty names", "", "index: [i], index_without_slash: true", "/i", "f https://example.com//i, f https://example.com//"},
		{"index without slash below an empty name", "", "index: [i], index_without_slash: true", "a//i", "f https://example.com/a//i, f https://example.com/a//"},
		{"clean URL", "", "clean_urls: true, index: [index.html]", "d/about.html", "f https://example.com/d/about.html, f https://example.com/d/about"},
		{"clean URL of an index", "", "clean_urls: true, index: [index.html]", "d/index.html", "f https://example.com/d/index.html, f https://example.com/d/"},
		{"clean URL of nothing", "", "clean_urls: true", "d/.html", "f https://example.com/d/.html"},
		{"clean URL of dots", "", "clean_urls: true", "...html", "f https://example.com/...html"},
		{"clean URL of other pages", "", "clean_urls: true", "a.htm", "f https://example.com/a.htm"},
		{"clean URL's spellings", "", "clean_urls: true", "a@b.html", "f https://example.com/a@b.html, f https://example.com/a%40b.html, f https://example.com/a@b, f https://example.com/a%40b"},
		{"suffixes", "", "suffixes: ['!small', '@!s'], queries: [v]", "a.jpg", "f https://example.com/a.jpg, f https://example.com/a.jpg?v, " +
			"f https://example.com/a.jpg!small, f https://example.com/a.jpg!small?v, f https://example.com/a.jpg@!s, f https://example.com/a.jpg@!s?v"},
		{"suffixes are as written", "", "suffixes: ['!s']", "a@.jpg", "f https://example.com/a@.jpg, f https://example.com/a%40.jpg, f https://example.com/a@.jpg!s, f https://example.com/a%40.jpg!s"},
		{"suffixes of the object's own path", "", "suffixes: [-s], index: [i]", "d/i", "f https://example.com/d/i, f https://example.com/d/i-s, f https://example.com/d/"},
		{"suffixes of a marker", "", "suffixes: ['!s']", "d/", "f https://example.com/d/"},
		{"suffixes and all queries", "", "suffixes: ['!s'], type: ignore_params", "a.jpg", "i https://example.com/a.jpg, i https://example.com/a.jpg!s"},
		{"directory's spellings", "", "type: directory", "[a]/b@c", "d https://example.com/%5Ba%5D/, d https://example.com/[a]/"},
		{"ignore_params' spellings", "", "type: ignore_params", "b@c", "i https://example.com/b@c, i https://example.com/b%40c"},
		{"directory", "", "type: directory", "a b/c.png", "d https://example.com/a%20b/"},
		{"directory of a marker", "", "type: directory", "a/b/", "d https://example.com/a/b/"},
		{"directory at the root", "prefix: www/", "type: directory, strip_prefix: www/, path: /x/", "www/c.png", "d https://example.com/x/"},
		{"ignore_params", "", "type: ignore_params", "a.jpg", "i https://example.com/a.jpg"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := parse(t, oneRule(tt.rule, tt.target)).Map(Object{Bucket: "my-site", Key: tt.key, Event: Created})
			if got := strings.Join(urls(m), ", "); got != tt.want {
				t.Errorf("key %q\n got %s\nwant %s", tt.key, got, tt.want)
			}
		})
	}
}

func TestMapTarget(t *testing.T) {
	table := parse(t, oneRule("prefix: s/", "strip_prefix: s/, product: esa, site: 7, path: /p/, type: ignore_params, queries: [v=2], force: true"))
	got := table.Map(Object{Bucket: "my-site", Key: "s/@.jpg", Event: Removed})
	want := Match{Rule: &table.Rules[0], Targets: []Target{{
		Product: ESA, Site: 7, Type: IgnoreParams, Force: true, Domain: "example.com", URL: "https://example.com/p/@.jpg", Event: Removed,
		Fallback: []string{"https://example.com/p/@.jpg", "https://example.com/p/@.jpg?v=2"},
	}, {
		Product: ESA, Site: 7, Type: IgnoreParams, Force: true, Domain: "example.com", URL: "https://example.com/p/%40.jpg", Respelt: true, Event: Removed,
		Fallback: []string{"https://example.com/p/%40.jpg", "https://example.com/p/%40.jpg?v=2"},
	}}}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Spec{})); d != "" {
		t.Errorf("Map (-want +got):\n%s", d)
	}
}

func TestLongestPrefixWins(t *testing.T) {
	table := parse(t, `
rules:
  - {bucket: my-site, prefix: a/, targets: [{domain: a.example.com}]}
  - {bucket: my-site, targets: [{domain: all.example.com}]}
  - {bucket: my-site, prefix: a/b/, exclude: ['*.map'], targets: [{domain: ab.example.com}]}
  - {bucket: my-site, prefix: a/c/, targets: [{domain: ac.example.com}]}
  - {bucket: strict, prefix: a/, targets: [{domain: strict.example.com}]}
`)
	for _, tt := range []struct{ bucket, key, want string }{
		{"my-site", "a/x", "a.example.com"},
		{"my-site", "a/b/x", "ab.example.com"},
		{"my-site", "a/c/x", "ac.example.com"},
		{"my-site", "a/b", "a.example.com"},
		{"my-site", "b", "all.example.com"},
		{"my-site", "a/b/x.map", `ignored: exclude "*.map"`}, // never a shorter prefix
		{"strict", "a/x", "strict.example.com"},
		{"strict", "a", "unmatched"},
		{"other", "a/x", "unmatched"},
	} {
		m := table.Map(Object{Bucket: tt.bucket, Key: tt.key})
		got := "unmatched"
		switch {
		case m.Ignored != "":
			got = "ignored: " + m.Ignored
		case m.Rule != nil:
			got = m.Targets[0].Domain
		}
		if got != tt.want {
			t.Errorf("Map(%s, %s): got %s, want %s", tt.bucket, tt.key, got, tt.want)
		}
	}
}

func TestMapIgnores(t *testing.T) {
	for _, tt := range []struct {
		rule, key string
		event     Event
		isNew     bool
		want      string
	}{
		{"exclude: ['**/*.map']", "p/a.map", Created, false, `exclude "**/*.map"`},
		{"exclude: ['**/*.map']", "p/d/a.map", Created, false, `exclude "**/*.map"`},
		{"exclude: ['*.map']", "p/d/a.map", Created, false, ""}, // * does not cross /
		{"exclude: ['p/*']", "p/a", Created, false, ""},         // the prefix does not count
		{"include: ['*.js', '**/*.css']", "p/d/a.css", Created, false, ""},
		{"include: ['*.js', '**/*.css']", "p/a.png", Created, false, "include"},
		{"exclude: ['" + strings.Repeat("{,a}", 8) + "']", "p/aaaaaaaa", Created, false, `exclude "` + strings.Repeat("{,a}", 8) + `"`},
		{"include: ['**']", "p/d/a.png", Created, false, ""},
		{"events: [removed]", "p/a", Created, false, "events"},
		{"events: [removed, modified]", "p/a", Modified, false, ""},
		{"skip_new: true", "p/a", Created, true, "skip_new"},
		{"skip_new: true", "p/a", Created, false, ""},
		{"skip_new: false", "p/a", Created, true, ""},
		{"", "p/./a", Created, false, dotSegment},
		{"", "p/a/..", Created, false, dotSegment},
		{"exclude: ['**']", "p/../a", Created, false, `exclude "**"`}, // no warning for what is not wanted
		{"", "p/...", Created, false, ""},
		{"", "p/%2e%2e/a", Created, false, ""},
		{"", `p/..\a`, Created, false, ""},
	} {
		m := parse(t, oneRule(strings.TrimSuffix("prefix: p/, "+tt.rule, ", "), "")).Map(Object{"my-site", tt.key, tt.event, tt.isNew})
		if m.Rule == nil || m.Ignored != tt.want || (len(m.Targets) == 0) != (tt.want != "") {
			t.Errorf("%s, key %q: ignored %q with %d targets, want ignored %q", tt.rule, tt.key, m.Ignored, len(m.Targets), tt.want)
		}
		if m.Warning != (tt.want == dotSegment) {
			t.Errorf("%s, key %q: warning is %t", tt.rule, tt.key, m.Warning)
		}
	}
}

// What is stripped decides whether the path has a dot segment: a target that
// has none is refreshed although another has one.
func TestDotSegmentOfOneTarget(t *testing.T) {
	m := parse(t, `
rules:
  - bucket: my-site
    prefix: x
    targets: [{domain: a.example.com, strip_prefix: x}, {domain: b.example.com}]
`).Map(Object{Bucket: "my-site", Key: "x./y"})
	want := []string{"f https://b.example.com/x./y"}
	if got := urls(m); !slices.Equal(got, want) || !m.Warning || m.Ignored != "" {
		t.Errorf("got %v, warning %t, ignored %q; want %v with a warning", got, m.Warning, m.Ignored, want)
	}
}

func TestMapAllocates(t *testing.T) {
	table := parse(t, oneRule("prefix: www/, exclude: ['**/*.map'], events: [created]", "strip_prefix: www/"))
	for key, most := range map[string]float64{"www/a/b.png": 2, "www/图 1.png": 2, "www/photo (1).jpg": 4} {
		o := Object{Bucket: "my-site", Key: key, Event: Created}
		if n := testing.AllocsPerRun(100, func() { table.Map(o) }); n > most {
			t.Errorf("Map of %q allocates %v times, want at most %v: the targets and each URL", key, n, most)
		}
	}
}

// manyRules is a table of n rules in so many buckets; the prefixes have one
// length, or 10 to 60 bytes.
func manyRules(n, buckets int, mixed bool) []byte {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		folder := ""
		if mixed {
			folder = strings.Repeat("d", 3+i*7%51)
		}
		fmt.Fprintf(&b, "- bucket: bucket-%d\n  prefix: p%05d%s/\n  targets: [{domain: www.example.com}]\n", i%buckets, i, folder)
	}
	return []byte(b.String())
}

// Map compares a key with a few more prefixes of 10,000 than of 10, in memory
// that is farther away: a fifth to two fifths of its time. The garbage collector
// is kept away: marking the larger table would count as Map's time.
func BenchmarkMap(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	for _, mixed := range []bool{false, true} {
		for _, rules := range []int{10, 1000, 10_000} {
			b.Run(fmt.Sprintf("mixed=%t/rules=%d", mixed, rules), func(b *testing.B) {
				t := parse(b, string(manyRules(rules, 1, mixed)))
				var objects []Object // of rules all over the table
				for i := range 100 {
					objects = append(objects, Object{Bucket: "bucket-0", Key: t.Rules[i*rules/100].Prefix + "docs/photo 1.jpg", Event: Created})
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if m := t.Map(objects[i%len(objects)]); len(m.Targets) != 1 {
						b.Fatal(m)
					}
				}
			})
		}
	}
}

// The rule that a look-up finds is the one that trying each of them finds.
func TestLookupOfManyRules(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	text := func(most int) string {
		s := make([]byte, random.IntN(most+1))
		for i := range s {
			s[i] = "ab/\xff"[random.IntN(4)]
		}
		return string(s)
	}
	for range 300 {
		b := bucket{}
		table := &Table{}
		for range 1 + random.IntN(20) {
			prefix := text(6)
			if !slices.ContainsFunc(b, func(e entry) bool { return e.prefix == prefix }) {
				b = append(b, entry{prefix: prefix, rule: len(b)})
				table.Rules = append(table.Rules, Rule{Prefix: prefix})
			}
		}
		b.link()
		table.buckets = map[string]bucket{"b": b}
		for range 100 {
			key := text(9)
			var want *Rule
			for i, r := range table.Rules {
				if strings.HasPrefix(key, r.Prefix) && (want == nil || len(r.Prefix) > len(want.Prefix)) {
					want = &table.Rules[i]
				}
			}
			if got := table.lookup("b", key); got != want {
				t.Fatalf("key %q: got %v, want %v", key, got, want)
			}
		}
	}
}
