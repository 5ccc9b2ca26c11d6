package refresh

import (
	"slices"
	"sort"
	"strings"

	"oss-cdn-refresh/mapping"
)

// maxFolds is how many directories an invocation refreshes in place of files
// before the quota ends: the quota of directories is 100 a day.
const maxFolds = 20

// FoldRules say when a directory takes the place of the files below it.
type FoldRules struct {
	Cost  int             // of a directory, in URLs; 0: no directory takes the place of files
	Roots map[string]bool // directories, as URLs, that never do
}

// Fold replaces files by directories above them, so that the invocation costs
// least where a file costs 1 and a directory rules.Cost. Of covers that cost the
// same it takes the one with fewer directories, and of those the one whose
// directories hold less. At most 20 directories are made, those that save most.
// A domain's root, one of rules.Roots and a file whose metadata changed are left
// as they are.
//
// The directories are items with Extra, and have the files in Covered. One that
// stands for a removed file has Force, since a node may answer from its copy
// where it only revalidates. Directories that targets ask for are sent first.
// Directories are compared as text, so that two spellings of one count as two.
//
// Fold is a function of its arguments, so that the same items give the same
// directories when they are tried again.
func Fold(items []Item, rules FoldRules) []Item {
	if rules.Cost <= 0 {
		return items
	}
	trees := treesWorthFolding(items, rules)
	if len(trees) == 0 {
		return items
	}
	own := map[mapping.Product]bool{}
	for i := range items {
		if items[i].Type == mapping.Directory {
			own[items[i].Product] = true
		}
	}
	covered := make([]bool, len(items))
	folded := make([]Item, 0, len(items))
	for _, tree := range trees {
		dir := tree.directory(items, rules.Roots)
		if own[dir.Product] {
			dir.Rank = Last
		}
		folded = append(folded, dir)
		for _, i := range tree.files {
			covered[i] = true
		}
	}
	for i := range items {
		if !covered[i] {
			folded = append(folded, items[i])
		}
	}
	sortItems(folded)
	return folded
}

// A tree is the highest directory above a file that may take its place.
type tree struct {
	product mapping.Product
	site    int64
	url     string
}

// A fullTree is a tree with its files, as indexes of the items.
type fullTree struct {
	tree
	files []int
}

// treesWorthFolding returns the trees with more files than a directory costs, at most
// maxFolds, the fullest first. These are the cheapest cover: every
// directory costs the same, so several below a tree never cost less than the tree.
func treesWorthFolding(items []Item, rules FoldRules) []fullTree {
	var trees []fullTree
	index := map[tree]int{}
	for i := range items {
		it := &items[i]
		if it.Type != mapping.File || it.Modified || it.Extra {
			continue
		}
		url := topmost(it, rules.Roots)
		if url == "" {
			continue
		}
		key := tree{it.Product, it.Site, url}
		n, found := index[key]
		if !found {
			n = len(trees)
			index[key] = n
			trees = append(trees, fullTree{tree: key})
		}
		trees[n].files = append(trees[n].files, i)
	}
	trees = slices.DeleteFunc(trees, func(t fullTree) bool { return len(t.files) <= rules.Cost })
	sort.SliceStable(trees, func(i, j int) bool { return len(trees[i].files) > len(trees[j].files) })
	return trees[:min(len(trees), maxFolds)]
}

// topmost returns the URL of the highest directory that holds the file and may
// take its place, or "".
func topmost(file *Item, roots map[string]bool) string {
	path, _, _ := strings.Cut(file.URL, "?")
	for end := rootEnd(file); ; {
		slash := strings.IndexByte(path[end:], '/')
		if slash < 0 {
			return ""
		}
		end += slash + 1
		if !holdsTooMuch(path[:end], file.Domain, roots) {
			return path[:end]
		}
	}
}

// directory returns the item in place of the tree's files: the lowest directory
// that holds them all.
func (t fullTree) directory(items []Item, roots map[string]bool) Item {
	first := &items[t.files[0]] // the most important one
	url := common(items, t.files)
	for len(url) > len(t.url) && holdsTooMuch(url, first.Domain, roots) {
		url = url[:strings.LastIndexByte(url[:len(url)-1], '/')+1]
	}
	dir := inPlaceOf(*first, url)
	dir.Respelt = true
	dir.Covered = make([]Item, len(t.files))
	for n, i := range t.files {
		dir.Covered[n] = items[i]
		dir.Force = dir.Force || items[i].Rank == Removal
		dir.Respelt = dir.Respelt && items[i].Respelt
	}
	return dir
}

// common returns the URL of the lowest directory that holds the files.
func common(items []Item, files []int) string {
	url, _, _ := strings.Cut(items[files[0]].URL, "?")
	for _, i := range files {
		other, _, _ := strings.Cut(items[i].URL, "?")
		same := 0
		for same < min(len(url), len(other)) && url[same] == other[same] {
			same++
		}
		url = url[:strings.LastIndexByte(url[:same], '/')+1]
	}
	return url
}

// inPlaceOf returns a Directory that no target asks for, of the importance of
// the file and without files.
func inPlaceOf(file Item, url string) Item {
	return Item{
		Kind:   Kind{Product: file.Product, Site: file.Site, Type: mapping.Directory},
		Domain: file.Domain, URL: url, Rank: file.Rank, Extra: true, place: file.place,
	}
}

// holdsTooMuch reports whether the directory is the domain's root or one of
// roots. A // at its end counts as /, since the API may read it so.
func holdsTooMuch(url, domain string, roots map[string]bool) bool {
	return len(url) == strings.Index(url, "://")+len("://")+len(domain)+1 ||
		strings.HasSuffix(url, "//") || roots[url]
}

// rootEnd is where the domain ends in the item's URL.
func rootEnd(it *Item) int { return strings.Index(it.URL, "://") + len("://") + len(it.Domain) }
