package refresh

import (
	"cmp"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// Debounce merges the targets of one invocation, which are in the order of their
// records, into items: one for each kind and URL, however many records led to it. A File under a Directory of the same
// product is covered by it, unless only its metadata changed: a Directory
// refresh revalidates, and a conditional request gets 304 if only headers
// changed.
//
// Removals come first, then pages, then the rest, each in the order of the
// targets; an item of several targets takes the first of their places.
func Debounce(targets []Target) []Item {
	items := make([]Item, 0, len(targets))
	index := make(map[Key]int, len(targets)) // of the item in items
	records := make([]int, len(targets))     // one block for the usual case of one record an item
	directories := false
	for i := range targets {
		t := &targets[i]
		kind := Kind{t.Product, t.Site, t.Type, t.Force}
		n, found := index[Key{kind, t.URL}]
		if !found {
			n = len(items)
			index[Key{kind, t.URL}] = n
			items = append(items, Item{
				Kind: kind, Domain: t.Domain, URL: t.URL, Rank: rankOf(t), Respelt: t.Respelt,
				Records: records[i : i : i+1], place: i,
			})
		}
		it := &items[n]
		if len(it.Records) == 0 || it.Records[len(it.Records)-1] != t.Record {
			it.Records = append(it.Records, t.Record)
		}
		it.Modified = it.Modified || t.Event == mapping.Modified
		it.Respelt = it.Respelt && t.Respelt
		it.takePlace(rankOf(t), i)
		it.addFallback(t.Fallback)
		directories = directories || t.Type == mapping.Directory
	}
	if directories {
		items = coverFiles(items, index)
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
		if !slices.Contains(it.Fallback, url) {
			it.Fallback = append(it.Fallback, url)
		}
	}
}

// coverFiles hands the files among the items to the nearest Directory among them
// that covers them, and returns the other items.
func coverFiles(items []Item, index map[Key]int) []Item {
	covered := make([]bool, len(items))
	for i, it := range items {
		if it.Type != mapping.File || it.Modified {
			continue
		}
		if dir := nearestDirectory(it, items, index); dir != nil {
			dir.Covered = append(dir.Covered, it)
			dir.takePlace(it.Rank, it.place)
			covered[i] = true
		}
	}
	rest := items[:0]
	for i, it := range items {
		if !covered[i] {
			rest = append(rest, it)
		}
	}
	return rest
}

// nearestDirectory returns the Directory item that covers the file. Of two that
// differ in Force, it is the one that deletes. It returns nil if there is none.
func nearestDirectory(file Item, items []Item, index map[Key]int) *Item {
	for url := range parents(file) {
		for _, force := range [...]bool{true, false} {
			kind := Kind{file.Product, file.Site, mapping.Directory, force}
			if n, found := index[Key{kind, url}]; found {
				return &items[n]
			}
		}
	}
	return nil
}

// parents yields the URLs of the directories that hold the item, the nearest
// first and the domain's root last.
func parents(it Item) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		path, _, _ := strings.Cut(it.URL, "?")
		root := strings.Index(path, "://") + len("://") + len(it.Domain)
		for end := strings.LastIndexByte(path, '/'); end >= root; {
			if !yield(path[:end+1]) {
				return
			}
			end = strings.LastIndexByte(path[:end], '/')
		}
	}
}

func rankOf(t *Target) Rank {
	path, _, _ := strings.Cut(t.URL, "?")
	return RankOf(t.Event, path)
}

// RankOf returns the rank of what happened to the object of a path or a key.
func RankOf(event mapping.Event, path string) Rank {
	if event == mapping.Removed {
		return Removal
	}
	for _, suffix := range [...]string{"/", ".html", ".htm"} {
		if strings.HasSuffix(path, suffix) {
			return Page
		}
	}
	return Rest
}

// sortItems puts items into the order of importance: by rank, then canonical
// spellings before the others, so that these never take quota from those.
func sortItems(items []Item) {
	sorted := true
	for i := 1; i < len(items) && sorted; i++ {
		sorted = compareItems(&items[i-1], &items[i]) <= 0
	}
	if sorted {
		return
	}
	order := make([]int32, len(items)) // an item is too large to be moved often
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return compareItems(&items[a], &items[b]) })
	all := make([]Item, len(items))
	for i, n := range order {
		all[i] = items[n]
	}
	copy(items, all)
}

func compareItems(a, b *Item) int {
	return cmp.Or(
		cmp.Compare(a.Rank, b.Rank),
		compareBool(a.Respelt, b.Respelt),
		cmp.Compare(a.place, b.place),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
