package refresh

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/mapping"
)

func directory(domain, path string) mapping.Target {
	t := target(domain, path, mapping.Created)
	t.Type = mapping.Directory
	return t
}

func TestDebounce(t *testing.T) {
	const d = "a.example.com"
	cdn := target(d, "/x.png", mapping.Created)
	cdn.Product = mapping.CDN
	tests := map[string]struct {
		targets []mapping.Target
		want    []string // type, path, targets and the covered
	}{
		"one item a URL": {
			[]mapping.Target{target(d, "/x.png", mapping.Created), target(d, "/y.png", mapping.Created), target(d, "/x.png", mapping.Created)},
			[]string{"File /x.png [0 2] []", "File /y.png [1] []"},
		},
		"products apart": {
			[]mapping.Target{target(d, "/x.png", mapping.Created), cdn},
			[]string{"File /x.png [0] []", "File /x.png [1] []"},
		},
		"removals, pages, the rest": {
			[]mapping.Target{
				target(d, "/1.png", mapping.Created), target(d, "/2.html?v=2", mapping.Created), target(d, "/3/", mapping.Modified),
				target(d, "/4.css", mapping.Removed), target(d, "/5.htm", mapping.Removed), target(d, "/6.png?a.html", mapping.Created),
			},
			[]string{"File /4.css [3] []", "File /5.htm [4] []", "File /2.html?v=2 [1] []", "File /3/ [2] []", "File /1.png [0] []", "File /6.png?a.html [5] []"},
		},
		"the first of its places": {
			[]mapping.Target{target(d, "/1.png", mapping.Created), target(d, "/2.png", mapping.Removed), target(d, "/1.png", mapping.Removed)},
			[]string{"File /2.png [1] []", "File /1.png [0 2] []"},
		},
		"covered by a directory": {
			[]mapping.Target{
				target(d, "/a/b/1.png", mapping.Created), directory(d, "/a/"), target(d, "/ab/1.png", mapping.Created),
				target(d, "/a/2.png", mapping.Modified), target(d, "/a/3.png", mapping.Removed), target(d, "/a/", mapping.Created),
			},
			[]string{"Directory /a/ [1] [/a/b/1.png /a/3.png /a/]", "File /ab/1.png [2] []", "File /a/2.png [3] []"},
		},
		"another domain's or product's directory covers nothing": {
			[]mapping.Target{directory("b.example.com", "/a/"), target(d, "/a/1.png", mapping.Created), cdn, directory(d, "/")},
			[]string{"Directory /a/ [0] []", "Directory / [3] [/a/1.png]", "File /x.png [2] []"},
		},
		"a created and modified file is not covered": {
			[]mapping.Target{target(d, "/a/1.png", mapping.Created), target(d, "/a/1.png", mapping.Modified), directory(d, "/a/")},
			[]string{"Directory /a/ [2] []", "File /a/1.png [0 1] []"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, it := range Debounce(records(test.targets)) {
				var covered []string
				for _, file := range it.Covered {
					covered = append(covered, strings.TrimPrefix(file.URL, "https://"+it.Domain))
				}
				got = append(got, fmt.Sprintf("%s %s %v %v", it.Type, strings.TrimPrefix(it.URL, "https://"+it.Domain), it.Records, covered))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever the targets, each is in exactly one item or covered file.
func FuzzDebounceLosesNothing(f *testing.F) {
	f.Add(uint64(1), uint8(10))
	f.Add(uint64(7), uint8(200))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) {
		r := rand.New(rand.NewPCG(seed, seed))
		paths := []string{"/", "/a/", "/a/b/", "/a/b.html", "/a/b/c.png", "/a/b/c.png?v=1", "/ab", "/d.css"}
		targets := make([]mapping.Target, n)
		for i := range targets {
			targets[i] = target("a.example.com", paths[r.IntN(len(paths))], []mapping.Event{mapping.Created, mapping.Removed, mapping.Modified}[r.IntN(3)])
			if strings.HasSuffix(targets[i].URL, "/") && r.IntN(2) == 0 {
				targets[i].Type = mapping.Directory
			}
		}
		var all []int
		keys := map[Key]bool{}
		for _, it := range Debounce(records(targets)) {
			if keys[it.Key()] {
				t.Errorf("two items of %v", it.Key())
			}
			keys[it.Key()] = true
			all = append(all, it.AllRecords()...)
		}
		slices.Sort(all)
		for i, target := range all {
			if target != i {
				t.Fatalf("targets %v of %d", all, n)
			}
		}
		if len(all) != int(n) {
			t.Fatalf("%d of %d targets are left", len(all), n)
		}
	})
}

func BenchmarkDebounce(b *testing.B) {
	for _, n := range []int{15, 150, 1500} {
		targets := records(publish(rand.New(rand.NewPCG(1, 1)), []int{n / 3, n / 3, n / 3}))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Debounce(targets)
			}
		})
	}
}
