package refresh

import (
	"cmp"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// Debounce merges the targets of one invocation into items: one for each
// product, type and URL, however many changes led to it. A File under a
// Directory of the same product is covered by it, unless its change was one of
// metadata alone: a Directory refresh revalidates, and a node that asks "is it
// newer?" hears "no" when only headers changed.
//
// Removals come first, then pages, then the rest, each in the order of the
// targets; an item of several targets takes the first of their places.
func Debounce(targets []mapping.Target) []*Item {
	slab := make([]Item, len(targets))
	places := make([]int, len(targets))
	byKey := make(map[Key]*Item, len(targets))
	items := make([]*Item, 0, len(targets))
	directories := false
	for i := range targets {
		t := &targets[i]
		key := Key{t.Product, t.Type, t.URL}
		rank := rankOf(t)
		it, ok := byKey[key]
		if !ok {
			it = &slab[len(items)]
			*it = Item{
				Product: t.Product, Type: t.Type, Domain: t.Domain, URL: t.URL, Rank: rank, place: i,
				Targets: places[i : i : i+1],
			}
			byKey[key] = it
			items = append(items, it)
		}
		it.Targets = append(it.Targets, i)
		it.modified = it.modified || t.Event == mapping.Modified
		it.takePlace(rank, i)
		it.addFallback(t.Fallback)
		directories = directories || t.Type == mapping.Directory
	}
	if directories {
		items = cover(items, byKey)
	}
	sortItems(items)
	return items
}

// takePlace moves the item forward where the given place is before its own.
func (it *Item) takePlace(rank Rank, place int) {
	if rank < it.Rank || rank == it.Rank && place < it.place {
		it.Rank, it.place = rank, place
	}
}

func (it *Item) addFallback(urls []string) {
	for _, url := range urls {
		if !slices.Contains(it.fallback, url) {
			it.fallback = append(it.fallback, url)
		}
	}
}

// cover takes the files out of items that a Directory among them covers, and
// hands them to it.
func cover(items []*Item, byKey map[Key]*Item) []*Item {
	return slices.DeleteFunc(items, func(it *Item) bool {
		if it.Type != mapping.File || it.modified {
			return false
		}
		for dir := range parents(it) {
			if d, ok := byKey[Key{it.Product, mapping.Directory, dir}]; ok {
				d.covered = append(d.covered, it)
				d.takePlace(it.Rank, it.place)
				return true
			}
		}
		return false
	})
}

// parents yields the URLs of the directories that hold the item, the nearest
// first and the domain's root last.
func parents(it *Item) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		path, _, _ := strings.Cut(it.URL, "?")
		root := strings.Index(path, "://") + len("://") + len(it.Domain)
		for end := strings.LastIndexByte(path, '/'); end >= root; end = strings.LastIndexByte(path[:end], '/') {
			if !yield(path[:end+1]) {
				return
			}
		}
	}
}

func rankOf(t *mapping.Target) Rank {
	if t.Event == mapping.Removed {
		return Removal
	}
	path, _, _ := strings.Cut(t.URL, "?")
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, ".html") || strings.HasSuffix(path, ".htm") {
		return Page
	}
	return Rest
}

// sortItems puts items into the order of importance.
func sortItems(items []*Item) {
	slices.SortFunc(items, compareItems)
}

func compareItems(a, b *Item) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.place, b.place))
}
