package refresh

import (
	"cmp"
	"slices"

	"oss-cdn-refresh/mapping"
)

// followUps returns what to submit in place of what was refused: the files of
// a refused Directory, File URLs for a refused IgnoreParams, directories for
// files that the quota did not suffice for.
func (s *submission) followUps() []*Item {
	items := append(s.unknown(s.follow), s.fold()...)
	s.follow = nil
	sortItems(items)
	return items
}

// unknown leaves out fallbacks that are items of the job by themselves, or of
// another fallback.
func (s *submission) unknown(items []*Item) []*Item {
	if !slices.ContainsFunc(items, (*Item).Extra) {
		return items
	}
	known := map[Key]bool{}
	for _, it := range s.job.Items {
		known[it.Key()] = true
		for _, file := range it.covered {
			known[file.Key()] = true
		}
	}
	return slices.DeleteFunc(items, func(it *Item) bool {
		was := known[it.Key()]
		known[it.Key()] = true
		return it.extra && was
	})
}

// fallbacks are the File items in place of an IgnoreParams.
func fallbacks(it *Item) []*Item {
	var files []*Item
	for _, url := range it.fallback {
		files = append(files, &Item{
			Product: it.Product, Type: mapping.File, Domain: it.Domain, URL: url,
			Rank: it.Rank, place: it.place, Targets: it.Targets, extra: true, modified: it.modified, root: it.root,
		})
	}
	return files
}

// foldable tells whether a Directory refresh can do for the file.
func (s *submission) foldable(it *Item) bool {
	return s.FoldOnQuota && it.Type == mapping.File && !it.modified && !it.extra && s.parent(it) != ""
}

// parent returns the URL of the file's own directory, or "" where that is a
// domain's root or a target's path, which hold too much.
func (s *submission) parent(it *Item) string {
	for dir := range parents(it) {
		if dir == it.root || dir == "https://"+it.Domain+"/" {
			return ""
		}
		return dir
	}
	return ""
}

// fold makes directories of the files that the quota did not suffice for, the
// fullest first and at most maxFolds an invocation; the other files have
// failed.
func (s *submission) fold() []*Item {
	var folders []*Item
	byKey := map[Key]*Item{}
	errs := map[*Item]*Error{}
	for _, o := range s.short {
		key := Key{o.Item.Product, mapping.Directory, s.parent(o.Item)}
		dir, ok := byKey[key]
		if !ok {
			dir = &Item{Product: key.Product, Type: key.Type, Domain: o.Item.Domain, URL: key.URL, Rank: o.Item.Rank, place: o.Item.place, folded: true}
			byKey[key] = dir
			errs[dir] = o.Err
			folders = append(folders, dir)
		}
		dir.covered = append(dir.covered, o.Item)
		dir.takePlace(o.Item.Rank, o.Item.place)
	}
	s.short = nil
	slices.SortStableFunc(folders, func(a, b *Item) int { return -cmp.Compare(len(a.covered), len(b.covered)) })
	most := min(len(folders), maxFolds-s.folds)
	s.folds += most
	for _, dir := range folders[most:] {
		s.fail([]*Item{dir}, errs[dir])
	}
	return folders[:most]
}
