package refresh

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/mapping"
)

const domain = "a.example.com"

// some makes n created files of a directory.
func some(dir string, n int) []mapping.Target {
	var targets []mapping.Target
	for i := range n {
		targets = append(targets, target(domain, fmt.Sprintf("%s%d.png", dir, i), mapping.Created))
	}
	return targets
}

// changed returns the targets as if something else had happened to them.
func changed(targets []mapping.Target, event mapping.Event) []mapping.Target {
	for i := range targets {
		targets[i].Event = event
	}
	return targets
}

// roots are the directories of the test's domain with these paths.
func roots(paths ...string) map[string]bool {
	set := map[string]bool{}
	for _, path := range paths {
		set["https://"+domain+path] = true
	}
	return set
}

func TestFold(t *testing.T) {
	cdn := some("/a/", 2)
	for i := range cdn {
		cdn[i].Product = mapping.CDN
	}
	tests := map[string]struct {
		targets []mapping.Target
		cost    int
		roots   map[string]bool
		want    []string // directories with the number of files, and the number of other files
	}{
		"more files than a directory costs": {some("/a/", 4), 3, nil, []string{"/a/ 4"}},
		"as many as it costs":               {some("/a/", 3), 3, nil, []string{"3 files"}},
		"never":                             {some("/a/", 9), 0, nil, []string{"9 files"}},
		"the lowest that holds them all":    {some("/a/b/c/", 4), 3, nil, []string{"/a/b/c/ 4"}},
		"one above two":                     {slices.Concat(some("/a/b/", 4), some("/a/c/", 4)), 3, nil, []string{"/a/ 8"}},
		"two that are not worth it, together": {
			slices.Concat(some("/a/b/", 2), some("/a/c/", 2)), 3, nil, []string{"/a/ 4"},
		},
		"not the domain's root": {slices.Concat(some("/", 9), some("/a/", 4)), 3, nil, []string{"/a/ 4", "9 files"}},
		"not a root": {
			slices.Concat(some("/a/b/", 4), some("/a/c/", 4), some("/a/", 4)), 3, roots("/a/"),
			[]string{"/a/b/ 4", "/a/c/ 4", "4 files"},
		},
		"not an empty segment, which may be the root": {some("//", 9), 3, nil, []string{"9 files"}},
		"an index page's own URL": {
			append(some("/a/", 3), target(domain, "/a/", mapping.Created)), 3, nil, []string{"/a/ 4"},
		},
		"URLs with queries": {
			append(some("/a/", 3), target(domain, "/a/1.png?x=/b/c/", mapping.Created)), 3, nil, []string{"/a/ 4"},
		},
		"not what was modified": {
			slices.Concat(some("/a/", 3), changed(some("/a/m", 2), mapping.Modified)), 3, nil, []string{"5 files"},
		},
		"with force for what was removed": {
			slices.Concat(some("/a/", 3), changed(some("/a/r", 1), mapping.Removed), some("/b/", 4)), 3, nil,
			[]string{"/a/ 4 force", "/b/ 4"},
		},
		"not what a directory covers": {
			slices.Concat(some("/a/b/", 9), some("/a/", 3), []mapping.Target{directory(domain, "/a/b/")}), 3, nil,
			[]string{"/a/b/ 9 asked for", "3 files"},
		},
		"behind the table's own directories": {
			slices.Concat(changed(some("/a/", 4), mapping.Removed), []mapping.Target{directory(domain, "/b/")}), 3, nil,
			[]string{"/b/ 0 asked for", "/a/ 4 force"},
		},
		"products apart": {slices.Concat(some("/a/", 2), cdn), 3, nil, []string{"4 files"}},
		"spellings are texts": {
			slices.Concat(some("/a%20b/", 3), some("/a+b/", 4)), 3, nil, []string{"/a+b/ 4", "3 files"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			files := 0
			for _, it := range Fold(Debounce(records(test.targets)), FoldRules{test.cost, test.roots}) {
				if it.Type == mapping.File {
					files++
					continue
				}
				text := fmt.Sprintf("%s %d", strings.TrimPrefix(it.URL, "https://"+domain), len(it.Covered))
				if it.Force {
					text += " force"
				}
				if !it.Extra {
					text += " asked for"
				}
				got = append(got, text)
			}
			if files > 0 {
				got = append(got, fmt.Sprintf("%d files", files))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFoldMakesAtMostTwentyDirectories(t *testing.T) {
	var targets []mapping.Target
	for d := range 30 {
		targets = append(targets, some(fmt.Sprintf("/d%02d/", d), 4+d)...)
	}
	kept := 0
	for _, it := range Fold(Debounce(records(targets)), FoldRules{Cost: 3}) {
		if it.Type == mapping.File {
			kept++
		} else if it.URL < "https://"+domain+"/d10/" {
			t.Errorf("%s is one of the 20 that save most", it.URL)
		}
	}
	if want := 10*4 + 45; kept != want { // the ten that save least
		t.Errorf("%d files are left, want %d", kept, want)
	}
}

// A small tree at random: files of all kinds, some directories of the table's
// own, and any set of roots.
func randomTree(r *rand.Rand) ([]mapping.Target, map[string]bool) {
	dirs := []string{"/a/", "/a/b/", "/a/b/c/", "/a/d/", "/e/", "/e/f/", "/"}
	var targets []mapping.Target
	for range r.IntN(30) {
		dir := dirs[r.IntN(len(dirs))]
		switch r.IntN(12) {
		case 0:
			if dir != "/" {
				targets = append(targets, directory(domain, dir))
			}
		case 1:
			targets = append(targets, target(domain, dir, mapping.Created))
		default:
			event := []mapping.Event{mapping.Created, mapping.Created, mapping.Removed, mapping.Modified}[r.IntN(4)]
			targets = append(targets, target(domain, fmt.Sprintf("%s%d.png", dir, r.IntN(9)), event))
		}
	}
	roots := map[string]bool{}
	for _, dir := range dirs {
		if r.IntN(4) == 0 {
			roots["https://"+domain+dir] = true
		}
	}
	return targets, roots
}

// cheapest tries each set of directories: it returns the least that a cover
// costs, and the fewest directories of such a cover.
func cheapest(items []Item, rules FoldRules) (cost, directories int) {
	var candidates []string
	for _, it := range items {
		for url := range parents(it) {
			if !holdsTooMuch(url, it.Domain, rules.Roots) && !slices.Contains(candidates, url) {
				candidates = append(candidates, url)
			}
		}
	}
	cost, directories = 1<<30, 1<<30
	for set := range 1 << len(candidates) {
		c, n := 0, 0
		for i := range candidates {
			if set>>i&1 == 1 {
				c, n = c+rules.Cost, n+1
			}
		}
		for _, it := range items {
			if it.Type != mapping.File {
				continue
			}
			below := func(i int) bool { return set>>i&1 == 1 && strings.HasPrefix(it.URL, candidates[i]) }
			if it.Modified || !slices.ContainsFunc(indexes(candidates), below) {
				c++
			}
		}
		if c < cost || c == cost && n < directories {
			cost, directories = c, n
		}
	}
	return cost, directories
}

func indexes(list []string) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

// Whatever the tree, each file is kept or covered by a directory above it, no
// cover costs less, and a dearer directory never leaves fewer files.
func FuzzFold(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 19))
		targets, roots := randomTree(r)
		items := Debounce(records(targets))
		before := fmt.Sprintf("%+v", items)
		last := 0
		for _, cost := range []int{1, 2, 3, 5, 9} {
			rules := FoldRules{cost, roots}
			folded := Fold(items, rules)
			kept, made := checkFolded(t, items, folded, rules)
			least, fewest := cheapest(items, rules)
			if got := made*cost + kept; got != least || made != fewest {
				t.Errorf("at %d a directory, %d directories and %d files cost %d; %d do it with %d directories",
					cost, made, kept, got, least, fewest)
			}
			if kept < last {
				t.Errorf("at %d a directory %d files are left, and more at less", cost, kept)
			}
			last = kept
		}
		if after := fmt.Sprintf("%+v", items); after != before {
			t.Error("the items were changed")
		}
	})
}

// checkFolded checks that nothing is lost or covered that must not be, and
// returns the number of files that were kept and of directories made.
func checkFolded(t *testing.T, items, folded []Item, rules FoldRules) (kept, made int) {
	t.Helper()
	want, got := map[Key]int{}, map[Key]int{}
	for _, it := range items {
		want[it.Key()]++
	}
	for i, it := range folded {
		if i > 0 && compareItems(&folded[i-1], &it) > 0 {
			t.Errorf("%s comes too late", it.URL)
		}
		if !it.InPlaceOfFiles() {
			got[it.Key()]++
			if it.Type == mapping.File {
				kept++
			}
			continue
		}
		made++
		removed := false
		if holdsTooMuch(it.URL, it.Domain, rules.Roots) {
			t.Errorf("%s holds too much", it.URL)
		}
		for _, file := range it.Covered {
			got[file.Key()]++
			removed = removed || file.Rank == Removal
			if file.Modified || file.Type != mapping.File || !strings.HasPrefix(file.URL, it.URL) {
				t.Errorf("%s takes the place of %+v", it.URL, file)
			}
		}
		if removed != it.Force {
			t.Errorf("%s: force is %t, and removed files below: %t", it.URL, it.Force, removed)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got)\n%s", diff)
	}
	return kept, made
}

// sendFolded takes targets all the way, with Fold.
func sendFolded(t *testing.T, s *Submitter, api *script, targets []mapping.Target, cost int) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	items := Fold(Debounce(records(targets)), FoldRules{cost, s.Roots})
	result := s.Submit(ctx, Job{API: api, Requests: Plan(items, s.Limits)})
	checkAccount(t, targets, result, api)
	return result
}

// The files of a refused directory are submitted after all, in the order of
// their importance; that directory is no failure of its own, nor is it tried
// again for the quota of URLs.
func TestSubmitGivesBackFoldedFiles(t *testing.T) {
	for _, class := range []Class{Permanent, Halve, SplitDomains, Quota, RefuseType} {
		t.Run(class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := submitter()
				s.FoldOnQuota = true
				api := &script{answer: func(_ int, call Call) error {
					if call.Type == string(mapping.Directory) {
						return refusal(class)
					}
					return nil
				}}
				targets := append(some("/a/", 5), target(domain, "/a/gone.png", mapping.Removed))
				result := sendFolded(t, s, api, targets, 3)
				if class == SplitDomains { // the whole domain is at fault, so its files are too
					if n := len(failures(result)); n != 6 {
						t.Errorf("%d of 6 files failed", n)
					}
					return
				}
				if n := len(failures(result)); n > 0 || len(result.Outcomes) != 6 {
					t.Errorf("failed: %v; %d outcomes, want those of 6 files", failures(result), len(result.Outcomes))
				}
				if len(api.calls) != 2 || !strings.HasSuffix(api.calls[1].URLs[0], "gone.png") {
					t.Errorf("the calls are %+v, want the directory, then its files, the removed one first", api.calls)
				}
			})
		})
	}
}

// A later try makes the same directories, and sends none that was accepted and
// none whose files all were.
func TestSubmitFoldsAgainOnARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		targets := slices.Concat(some("/a/", 5), some("/b/", 6), some("/c/", 1))
		first := &script{answer: func(n int, call Call) error {
			if call.Type == string(mapping.Directory) {
				return refuse(Halve, "/b/")(n, call) // its files are accepted as files
			}
			return refuse(Halve, "/c/")(n, call)
		}}
		result := sendFolded(t, s, first, targets, 3)
		if diff := cmp.Diff([]string{"File https://a.example.com/c/0.png Codehalve"}, failures(result)); diff != "" {
			t.Fatalf("failed (-want +got)\n%s", diff)
		}
		second := &script{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		items := Fold(Debounce(records(targets)), FoldRules{Cost: 3})
		again := s.Submit(ctx, Job{API: second, Requests: Plan(items, s.Limits), Accepted: result.Accepted()})
		checkOutcomes(t, targets, again)
		for _, c := range second.calls {
			for _, url := range c.URLs {
				if !strings.Contains(url, "/c/") {
					t.Errorf("%s %s was sent again", c.Type, url)
				}
			}
		}
		if n := len(failures(again)); n > 0 || len(second.calls) != 1 {
			t.Errorf("%d failed, %d calls; want the rest to be accepted in one", n, len(second.calls))
		}
	})
}

// Where the quota of directories does not suffice for all, those of the table
// are refreshed.
func TestSubmitDirectoriesInPlaceOfFilesComeLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := changed(some("/a/", 5), mapping.Removed)
		for i := range 4 {
			targets = append(targets, directory(domain, fmt.Sprintf("/d%d/", i)))
		}
		api := &script{answer: quota(4, mapping.Directory)}
		if result := sendFolded(t, submitter(), api, targets, 3); len(failures(result)) > 0 {
			t.Errorf("failed: %v", failures(result))
		}
	})
}

// When the time is over, a directory's files say what its last answer was.
func TestSubmitTellsTheLastAnswerOfADirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: func(int, Call) error { return refusal(Again) }}
		result := sendFolded(t, submitter(), api, some("/a/", 5), 3)
		if len(result.Outcomes) != 5 {
			t.Fatalf("%d outcomes, want those of 5 files", len(result.Outcomes))
		}
		for _, o := range result.Outcomes {
			if o.Err == nil || o.Err.Code != CodeDeadline || !strings.Contains(o.Err.Text(), "Codeagain") {
				t.Errorf("%s: %v, want a deadline with the last answer's code", o.Item.URL, o.Err)
			}
		}
	})
}

// A publish of 5,000 pages takes one call, and no file is sent.
func TestFoldAPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{}
		var targets []mapping.Target
		for i := range 5000 {
			targets = append(targets, target(domain, fmt.Sprintf("/docs/%d/%d/index.html", i%7, i), mapping.Created))
		}
		result := sendFolded(t, submitter(), api, targets, 100)
		if result.Calls != 1 || len(result.Outcomes) != 1 || len(result.Outcomes[0].Item.Covered) != 5000 {
			t.Errorf("%d calls, %d outcomes; want one directory", result.Calls, len(result.Outcomes))
		}
	})
}

func BenchmarkFold(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		items := foldable(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fold(items, FoldRules{Cost: 20})
			}
		})
	}
}

// foldable makes n files in directories of 30, ten of which are in one above.
func foldable(n int) []Item {
	var targets []mapping.Target
	for i := range n {
		targets = append(targets, target(domain, fmt.Sprintf("/docs-%d/chapter-%d/page-%d.html", i/300, i/30, i), mapping.Created))
	}
	return Debounce(records(targets))
}
